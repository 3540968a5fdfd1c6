"""What a cut on the score does to the pivot's distribution among the background.

N rows of background.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import energy_distance

from infobound.runners.invariant.predictions import Numbers

BINS = 32
"""Of a pivot's histogram, equally wide."""
TAIL = 0.005
"""Share of the background beyond each end of the histogram, which is counted in its last bin."""
DRAWS = 20
"""Random cuts that say what chance does."""


class Sculpted(NamedTuple):
    """Of one pivot."""

    divergence: float
    """Nats between the histograms of what passes and of what fails, log 2 at most."""
    by_chance: float
    """What it is where as many rows pass at random."""
    distance: float
    """Energy distance of the pivots of what passes from those of all, in their deviations."""


def threshold(score: Numbers, efficiency: float, weights: Numbers) -> float:
    """The score at or above which this share of the rows lies, or the next larger share that ties
    allow.
    """
    order = np.argsort(-score, kind="stable")
    passed = weights[order].cumsum() / weights.sum()
    return float(score[order][min(np.searchsorted(passed, efficiency), len(score) - 1)])


def sculpted(
    pivot: Numbers, passes: NDArray[np.bool_], weights: Numbers, categories: int, seed: int
) -> Sculpted:
    """How far the pivots (N,) of rows that pass a cut are from the others; `categories` is 0 for
    numbers.

    An efficient cut of few rows has a divergence by chance: compare the two. An energy distance is
    Székely and Rizzo's, https://doi.org/10.1016/j.jspi.2013.03.018
    """
    cells = histogram_cells(pivot, weights, categories)
    random = np.random.default_rng(seed)
    chance = [divergence(cells, random.permutation(passes), weights) for _ in range(DRAWS)]
    scaled = pivot / pivot.std()
    distance = float(energy_distance(scaled[passes], scaled, weights[passes], weights))
    return Sculpted(divergence(cells, passes, weights), float(np.mean(chance)), distance)


def edges(pivot: Numbers, weights: Numbers, categories: int) -> Numbers:
    """Ends of the bins of a pivot: equally wide ones between two quantiles, or one a category."""
    if categories:
        return np.arange(categories + 1, dtype=np.float64) - 0.5
    order = np.argsort(pivot)
    passed = weights[order].cumsum() / weights.sum()
    low, high = (
        pivot[order][min(np.searchsorted(passed, share), len(pivot) - 1)]
        for share in (TAIL, 1 - TAIL)
    )
    return np.linspace(low, high, BINS + 1)


def histogram_cells(pivot: Numbers, weights: Numbers, categories: int) -> NDArray[np.intp]:
    """(N,) the bin of each row."""
    return np.searchsorted(edges(pivot, weights, categories)[1:-1], pivot, side="right")


def divergence(cells: NDArray[np.intp], passes: NDArray[np.bool_], weights: Numbers) -> float:
    """Jensen-Shannon divergence in nats of the cells of rows that pass from those of rows that
    fail, 0 where all or none do.

    (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2.
    """
    counts = [
        np.bincount(cells, weights * which, minlength=cells.max() + 1)
        for which in (passes, ~passes)
    ]
    if not all(each.sum() for each in counts):
        return 0.0
    p, q = (each / each.sum() for each in counts)
    middle = (p + q) / 2
    return float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
