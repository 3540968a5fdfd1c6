"""Sculpting: the effect of a cut on the score on the pivot's distribution in the background.

N rows of background.
"""

import statistics
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import energy_distance
from torch import Tensor

BINS = 32
"""Number of bins of a pivot's histogram, equally wide."""
TAIL = 0.005
"""Share of the background outside each end of the histogram, counted in the outermost bin."""
DRAWS = 20
"""Number of random cuts that estimate the effect of chance."""


class Sculpted(NamedTuple):
    """The sculpting of one pivot."""

    divergence: float
    """Divergence of the histograms of passing and failing rows in nats, at most log 2."""
    by_chance: float
    """The divergence if as many rows pass at random."""
    distance: float
    """Energy distance between the pivots of passing and of all rows, in standard deviations."""


def threshold(score: Tensor, efficiency: float, weights: Tensor) -> float:
    """The threshold at or above which this share of the scores lies, or the next larger share that
    ties allow.
    """
    order = (-score).argsort(stable=True)
    return float(score[order][_passed(weights[order], efficiency)])


def sculpted(
    pivot: Tensor, passes: Tensor, weights: Tensor, categories: int, seed: int
) -> Sculpted:
    """The difference between the pivots (N,) of rows that pass a cut and the others; `categories`
    is 0 for numbers.

    With few rows a cut has some divergence by chance: compare `divergence` with `by_chance`. Energy
    distance: Székely and Rizzo 2013, https://doi.org/10.1016/j.jspi.2013.03.018
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
    """Edges of a pivot's bins: equally wide between two quantiles, or one bin for each category."""
    if categories:
        return torch.arange(categories + 1, dtype=torch.float64) - 0.5
    order = pivot.argsort()
    low, high = (float(pivot[order][_passed(weights[order], share)]) for share in (TAIL, 1 - TAIL))
    return torch.linspace(low, high, BINS + 1, dtype=torch.float64)


def histogram_cells(pivot: Tensor, weights: Tensor, categories: int) -> Tensor:
    """The bin (N,) of each row."""
    ends = edges(pivot, weights, categories)[1:-1].contiguous()
    return torch.searchsorted(ends, pivot.contiguous(), right=True)


def divergence(cells: Tensor, passes: Tensor, weights: Tensor) -> float:
    """Jensen-Shannon divergence in nats between the cells of rows that pass and of rows that fail;
    0 if all or none pass.

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
    """KL divergence in nats of shares p from shares q."""
    return float((torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum())


def _passed(weights: Tensor, share: float) -> int:
    """The position in order up to which rows make up this share."""
    passed = weights.cumsum(0) / weights.sum()
    return min(int(torch.searchsorted(passed, share)), len(weights) - 1)
