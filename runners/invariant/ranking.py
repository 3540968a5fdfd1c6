"""The ranking of a class above the others by a score: the ROC curve and the area below it.

N rows.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from infobound.runners.invariant.readings import Unread

PRIOR = 20
"""Number of rows as many as which the prior variance of placements counts."""
Z = 1.959964
"""Standard errors on each side of a 95 % interval."""
HALVINGS = 50
"""Number of bisections that find an end of it."""


class Area(NamedTuple):
    """The area below a ROC curve with its standard error over the rows."""

    value: float
    stderr: float


def roc(score: Tensor, positive: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of negative and of positive rows at or above each threshold, from the highest to
    the lowest.
    """
    _, places = torch.unique(-score, return_inverse=True)
    counts = [torch.bincount(places, weights * which) for which in (~positive, positive)]
    false, true = (F.pad(each.cumsum(0) / each.sum(), (1, 0)) for each in counts)
    return false, true


def area(score: Tensor, positive: Tensor, weights: Tensor) -> Area:
    """The probability that a positive row scores above a negative one; equal scores count half.

    Of m positive and n negative rows with placements p and q, the shares of the other kind that
    they beat, the variance is V(A) = S(p) / m + S(q) / n (DeLong et al. 1988,
    https://doi.org/10.2307/2531595). S is a sample variance, shrunk to the larger one of
    exponential scores, A (1 - A) max[(1 - A) / (2 - A), A / (1 + A)] (Hanley and McNeil 1982,
    https://doi.org/10.1148/radiology.143.1.7063747), as if PRIOR more rows had shown it. The
    interval of 95 % has the ends A' where |A' - A| = z V(A')^(1/2), so that it does not shrink to
    nothing at an area of 1 (method 5 of Newcombe 2006, https://doi.org/10.1002/sim.2324). The
    standard error is the distance to its farther end over z; with many rows, it is DeLong's. Rows
    with weights w count as (sum w)^2 / sum w^2.

    Raises Unread without weighted rows of either kind.
    """
    if not (weights[positive].any() and weights[~positive].any()):
        raise Unread("there are not rows that count both of a class and of the others")
    _, places = torch.unique(score, return_inverse=True)
    means, spreads = [], []
    for which in (positive, ~positive):
        others = torch.bincount(places, weights * ~which)
        below = (others.cumsum(0) - others / 2) / others.sum()
        placements, mine = below[places[which]], weights[which]
        means.append(float(mine @ placements / mine.sum()))
        squares = (placements - means[-1]).square()
        rows = float(mine.sum().square() / mine.square().sum())
        spreads.append((rows, float(mine.square() @ squares / mine.sum().square())))
    return Area(means[0], _stderr(means[0], spreads))


def _stderr(area: float, spreads: Sequence[tuple[float, float]]) -> float:
    """The standard error of an area from the number of rows, and the variance of their mean
    placement, of positives and of negatives.
    """

    def variance(at: float) -> float:
        prior = at * (1 - at) * max((1 - at) / (2 - at), at / (1 + at))
        return sum(
            (rows * spread + PRIOR * prior / rows) / (rows - 1 + PRIOR) for rows, spread in spreads
        )

    def inside(at: float) -> bool:
        return abs(at - area) <= Z * variance(at) ** 0.5

    return max(abs(_edge(inside, area, end) - area) for end in (0.0, 1.0)) / Z


def _edge(inside: Callable[[float], bool], within: float, beyond: float) -> float:
    """The last number inside, by bisection, on the way from one within to one beyond."""
    for _ in range(HALVINGS):
        middle = (within + beyond) / 2
        within, beyond = (middle, beyond) if inside(middle) else (within, middle)
    return within
