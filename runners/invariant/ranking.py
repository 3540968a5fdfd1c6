"""How well a score ranks the rows of a class above the others: the ROC curve and the area below it.

N rows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infobound.runners.invariant.predictions import Numbers


class Area(NamedTuple):
    """The area below a ROC curve with its standard error over the rows."""

    value: float
    stderr: float


def roc(score: Numbers, positive: NDArray[np.bool_], weights: Numbers) -> tuple[Numbers, Numbers]:
    """Shares of the negative and of the positive rows at or above each threshold, from the highest
    to the lowest.
    """
    _, places = np.unique(-score, return_inverse=True)
    shares = [np.bincount(places, weights * which) for which in (~positive, positive)]
    false, true = (np.concatenate([[0.0], each.cumsum() / each.sum()]) for each in shares)
    return false, true


def area(score: Numbers, positive: NDArray[np.bool_], weights: Numbers) -> Area:
    """The probability that a positive row scores above a negative one, where equal scores count
    half.

    The standard error is that of the placements of rows of either kind among the other. DeLong et
    al. 1988, https://doi.org/10.2307/2531595
    """
    _, places = np.unique(score, return_inverse=True)
    placements = []
    for which in (positive, ~positive):
        others = np.bincount(places, weights * ~which)
        below = (others.cumsum() - others / 2) / others.sum()
        placements.append((below[places[which]], weights[which]))
    value = float(np.average(placements[0][0], weights=placements[0][1]))
    error = sum(_variance_of_mean(*each) for each in placements) ** 0.5
    return Area(value, error)


def _variance_of_mean(values: Numbers, weights: Numbers) -> float:
    """Of a mean by weights."""
    shares = weights / weights.sum()
    return float((shares**2 * (values - shares @ values) ** 2).sum())
