"""The significance of a signal counted above a threshold, where the background's uncertainty comes
from its dependence on the pivot.

N rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from infobound.errors import SettingError
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.readings import Unread
from infobound.runners.training.settings import Settings

BINS = 8
"""Number of bins of equal population of a numeric pivot."""
LEAST, THRESHOLDS = 20, 60
"""Number of background rows above the highest threshold, and number of thresholds."""


class Curve(NamedTuple):
    """Significance by threshold."""

    thresholds: Tensor
    """(T,) thresholds on the log-odds against the background."""
    ams: Tensor
    """(T,) significance with an uncertain background."""
    certain: Tensor
    """(T,) significance with a background that is known exactly."""


@dataclass(frozen=True)
class Significance(Settings):
    """Approximate median significance of `signal_events` among `background_events`, the expected
    numbers before a cut.

    AMS^2 = 2 [(s + b) log((s + b) / b0) - s - b + b0] + (b - b0)^2 / u^2 for s signal and b
    background events after a cut, where u is the uncertainty of b and b0 = (b - u^2 + sqrt((b -
    u^2)^2 + 4 (s + b) u^2)) / 2 is the background that fits best. The uncertainty u is
    `background_events` times the standard deviation of the share of background that passes, over
    bins of the pivot (the worst of several pivots), without the counting noise of few rows: if the
    share is the same for every value of the pivot, u = 0.

    Cowan et al. 2011, https://arxiv.org/abs/1007.1727; Adam-Bourdarios et al. 2014,
    https://proceedings.mlr.press/v42/cowa14.html

    Raises ValueError for numbers of events that are not positive.
    """

    signal_events: float
    background_events: float

    def __post_init__(self) -> None:
        for name in ("signal_events", "background_events"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingError(name, "must be a positive number", getattr(self, name))

    def curve(
        self, found: Predictions, background: int, categories: Sequence[int], thresholds: Tensor
    ) -> Curve:
        """Significance at each of the thresholds (T,); `categories` is 0 for each numeric pivot.

        Raises Unread without weighted rows of signal and of background.
        """
        score, alone = -found.log_odds(background), found.labels == background
        passing, weights = (score >= thresholds[:, None]).double(), found.weights
        if not (weights[alone].any() and weights[~alone].any()):
            raise Unread("there are not rows that count of both signal and background")
        signal, behind = (
            passing[:, which] @ weights[which] / weights[which].sum() for which in (~alone, alone)
        )
        s, b = self.signal_events * signal, self.background_events * behind
        bins = [
            _bins(pivot[alone], count)
            for pivot, count in zip(found.pivots.T, categories, strict=True)
        ]
        deviations = [_deviation(passing[:, alone], weights[alone], each) for each in bins]
        u = self.background_events * torch.stack(deviations).amax(0)
        return Curve(thresholds, ams(s, b, u), ams(s, b, torch.zeros_like(b)))


def thresholds(found: Predictions, background: int) -> Tensor:
    """Quantiles (T,) of the background's log-odds, at shares that increase geometrically from LEAST
    rows to all.

    Raises Unread without rows of background.
    """
    if not (found.labels == background).any():
        raise Unread("there are no rows of background")
    score = (-found.of_class(background).log_odds(background)).sort(descending=True).values
    shares = np.geomspace(min(1.0, LEAST / len(score)), 1.0, THRESHOLDS)
    return score[torch.from_numpy(shares * len(score)).long() - 1].unique()


def ams(s: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """AMS (T,) from signal s, background b and its uncertainty u; 0 if no background passes."""
    b = b.clamp(min=1e-12)
    variance = u.square()
    known = variance == 0
    best = (b - variance + ((b - variance).square() + 4 * (s + b) * variance).sqrt()) / 2
    b0 = b.where(known, best)
    squared = 2 * ((s + b) * ((s + b) / b0).log() - s - b + b0)
    squared += ((b - b0).square() / variance.where(~known, 1.0)).where(~known, 0.0)
    return squared.clamp(min=0).sqrt() * (b > 1e-12)


def _bins(pivot: Tensor, categories: int) -> Tensor:
    """The category, or the bin of equal population, of each row (N,)."""
    if categories:
        return pivot.long()
    ranks = torch.from_numpy(rankdata(pivot.numpy()))
    return ((ranks - 0.5) / len(pivot) * BINS).long().clamp(max=BINS - 1)


def _deviation(passing: Tensor, weights: Tensor, bins: Tensor) -> Tensor:
    """The weighted standard deviation (T,) over bins of the share of background that passes (T, N),
    without counting noise.
    """
    shares, sizes, noise = [], [], []
    for each in bins.unique():
        mine = weights[bins == each]
        if mine.sum() == 0:
            continue
        share = passing[:, bins == each] @ mine / mine.sum()
        shares.append(share)
        sizes.append(mine.sum() / weights.sum())
        noise.append(share * (1 - share) * mine.square().sum() / mine.sum() ** 2)
    weight, share = torch.stack(sizes)[:, None], torch.stack(shares)
    mean = (weight * share).sum(0)
    by_chance = (weight * torch.stack(noise) * (1 - weight)).sum(0)
    return ((weight * (share - mean).square()).sum(0) - by_chance).clamp(min=0).sqrt()
