"""How significant a signal is that is counted above a threshold, where the background is known as
well as it does not depend on the pivot.

N rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from infobound.runners.invariant.predictions import Numbers, Predictions

BINS = 8
"""Of equal population, into which the background is cut by a pivot of numbers."""
LEAST, THRESHOLDS = 20, 60
"""Background rows that pass the highest threshold, and thresholds that are tried."""


class Curve(NamedTuple):
    """Significance against threshold."""

    thresholds: Numbers
    """(T,) of the log-odds that a row is no background."""
    ams: Numbers
    """(T,) with an uncertain background."""
    certain: Numbers
    """(T,) with one that is known exactly."""


@dataclass(frozen=True)
class Significance:
    """Approximate median significance of `signal_events` in `background_events`, as many as there
    are before a cut.

    AMS^2 = 2 [(s + b) log((s + b) / b0) - s - b + b0] + (b - b0)^2 / u^2 for s signal and b
    background events behind a cut, b known to u, with b0 = (b - u^2 + sqrt((b - u^2)^2 + 4 (s + b)
    u^2)) / 2 the background that fits best. The uncertainty u is `background_events` times the
    deviation, over bins of the pivot (the worst of several pivots), of the share of the background
    that passes, without what counting few rows adds: a cut that passes as much at every pivot has u
    = 0.

    Cowan et al. 2011, https://arxiv.org/abs/1007.1727; Adam-Bourdarios et al. 2014,
    https://proceedings.mlr.press/v42/cowa14.html

    Raises ValueError for numbers of events that are not positive.
    """

    signal_events: float
    background_events: float

    def __post_init__(self) -> None:
        for name in ("signal_events", "background_events"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)}")

    def curve(
        self, found: Predictions, background: int, categories: Sequence[int], thresholds: Numbers
    ) -> Curve:
        """At each of the thresholds (T,); `categories` is 0 for each pivot of numbers."""
        score, alone = -found.log_odds(background), found.labels == background
        passing = score >= thresholds[:, None]
        signal, behind = (
            (passing[:, which] @ found.weights[which]) / found.weights[which].sum()
            for which in (~alone, alone)
        )
        s, b = self.signal_events * signal, self.background_events * behind
        bins = [
            _bins(pivot[alone], count)
            for pivot, count in zip(found.pivots.T, categories, strict=True)
        ]
        spread = np.max(
            [_spread(passing[:, alone], found.weights[alone], each) for each in bins], axis=0
        )
        return Curve(
            thresholds, ams(s, b, self.background_events * spread), ams(s, b, np.zeros_like(b))
        )


def thresholds(found: Predictions, background: int) -> Numbers:
    """(T,) quantiles of the background's log-odds against it, at shares that rise from LEAST rows
    to all by a factor.
    """
    score = np.sort(-found.log_odds(background)[found.labels == background])[::-1]
    shares = np.geomspace(min(1.0, LEAST / len(score)), 1.0, THRESHOLDS)
    return np.unique(score[(shares * len(score)).astype(int) - 1])


def ams(s: Numbers, b: Numbers, u: Numbers) -> Numbers:
    """(T,) of signal s, background b and its uncertainty u, 0 where no background passes."""
    b = np.maximum(b, 1e-12)
    variance = u**2
    b0 = np.where(
        variance > 0, (b - variance + np.sqrt((b - variance) ** 2 + 4 * (s + b) * variance)) / 2, b
    )
    squared = 2 * ((s + b) * np.log((s + b) / b0) - s - b + b0)
    squared += np.where(variance > 0, (b - b0) ** 2 / np.where(variance > 0, variance, 1), 0)
    return np.sqrt(np.maximum(squared, 0)) * (b > 1e-12)


def _bins(pivot: Numbers, categories: int) -> NDArray[np.intp]:
    """(N,) the category, or the bin of equal population, of each row."""
    if categories:
        return pivot.astype(np.intp)
    return np.minimum(((rankdata(pivot) - 0.5) / len(pivot) * BINS).astype(np.intp), BINS - 1)


def _spread(passing: NDArray[np.bool_], weights: Numbers, bins: NDArray[np.intp]) -> Numbers:
    """(T,) the deviation over bins, by their weight, of the share of background that passes (T, N),
    less that of counting.
    """
    total = weights.sum()
    shares, sizes, noise = [], [], []
    for each in np.unique(bins):
        mine = weights[bins == each]
        if mine.sum() == 0:
            continue
        share = passing[:, bins == each] @ mine / mine.sum()
        shares.append(share)
        sizes.append(mine.sum() / total)
        noise.append(share * (1 - share) * (mine**2).sum() / mine.sum() ** 2)
    weight = np.array(sizes)[:, None]
    mean = (weight * shares).sum(0)
    variance = (weight * (np.array(shares) - mean) ** 2).sum(0) - (
        weight * np.array(noise) * (1 - weight)
    ).sum(0)
    return np.sqrt(np.maximum(variance, 0))
