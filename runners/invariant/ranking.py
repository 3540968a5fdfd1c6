"""The ranking of a class above the others by a score: the ROC curve and the area below it.

N rows.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


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

    The standard error comes from the placements of rows of each kind among the other. DeLong et al.
    1988, https://doi.org/10.2307/2531595
    """
    _, places = torch.unique(score, return_inverse=True)
    means, variances = [], []
    for which in (positive, ~positive):
        others = torch.bincount(places, weights * ~which)
        below = (others.cumsum(0) - others / 2) / others.sum()
        placements, mine = below[places[which]], weights[which]
        means.append(float(mine @ placements / mine.sum()))
        squares = (placements - means[-1]).square()
        variances.append(float(mine.square() @ squares / mine.sum().square()))
    return Area(means[0], sum(variances) ** 0.5)
