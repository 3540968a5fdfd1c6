"""What a cut on the score does to the pivot's distribution among the background.

N rows of background.
"""

import statistics
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import energy_distance
from torch import Tensor

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


def threshold(score: Tensor, efficiency: float, weights: Tensor) -> float:
    """The score at or above which this share of the rows lies, or the next larger share that ties
    allow.
    """
    order = (-score).argsort(stable=True)
    return float(score[order][_passed(weights[order], efficiency)])


def sculpted(
    pivot: Tensor, passes: Tensor, weights: Tensor, categories: int, seed: int
) -> Sculpted:
    """How far the pivots (N,) of rows that pass a cut are from the others; `categories` is 0 for
    numbers.

    An efficient cut of few rows has a divergence by chance: compare the two. An energy distance is
    Székely and Rizzo's, https://doi.org/10.1016/j.jspi.2013.03.018
    """
    cells = histogram_cells(pivot, weights, categories)
    random = np.random.default_rng(seed)
    orders = [torch.from_numpy(random.permutation(len(passes))) for _ in range(DRAWS)]
    chance = [divergence(cells, passes[order], weights) for order in orders]
    scaled = pivot / pivot.std(correction=0)
    distance = energy_distance(
        *(each.numpy() for each in (scaled[passes], scaled, weights[passes], weights))
    )
    return Sculpted(divergence(cells, passes, weights), statistics.fmean(chance), float(distance))


def edges(pivot: Tensor, weights: Tensor, categories: int) -> Tensor:
    """Ends of the bins of a pivot: equally wide ones between two quantiles, or one a category."""
    if categories:
        return torch.arange(categories + 1, dtype=torch.float64) - 0.5
    order = pivot.argsort()
    low, high = (float(pivot[order][_passed(weights[order], share)]) for share in (TAIL, 1 - TAIL))
    return torch.linspace(low, high, BINS + 1, dtype=torch.float64)


def histogram_cells(pivot: Tensor, weights: Tensor, categories: int) -> Tensor:
    """(N,) the bin of each row."""
    ends = edges(pivot, weights, categories)[1:-1].contiguous()
    return torch.searchsorted(ends, pivot.contiguous(), right=True)


def divergence(cells: Tensor, passes: Tensor, weights: Tensor) -> float:
    """Jensen-Shannon divergence in nats of the cells of rows that pass from those of rows that
    fail, 0 where all or none do.

    (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2.
    """
    counts = [
        torch.bincount(cells, weights * which, minlength=int(cells.max()) + 1)
        for which in (passes, ~passes)
    ]
    if not all(each.sum() for each in counts):
        return 0.0
    p, q = (each / each.sum() for each in counts)
    return (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2


def _kl(p: Tensor, q: Tensor) -> float:
    """Nats of shares p from shares q."""
    return float((torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum())


def _passed(weights: Tensor, share: float) -> int:
    """The place of the first of these rows, in order, up to which they are so large a share."""
    passed = weights.cumsum(0) / weights.sum()
    return min(int(torch.searchsorted(passed, share)), len(weights) - 1)
