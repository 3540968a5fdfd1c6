"""KSG: mutual information from distances to nearest neighbours.

N points, k neighbours, D features, D_x and D_y of x and y.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import digamma
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Kind, SampleEstimate
from infobound.estimators.comparable import comparable
from infobound.estimators.neighbours import count_within, nearest
from infobound.estimators.rows import mean_of, paired
from infobound.estimators.ties import doubts_of_ties, jittered


@dataclass(frozen=True, kw_only=True)
class KSG:
    """psi(k) + psi(N) - <psi(n_x + 1) + psi(n_y + 1)>, or psi(k) - 1/k + psi(N) - <psi(n_x) +
    psi(n_y)> in version 2.

    n_x counts the points that are closer in x than the k-th neighbour of the pair, or in version 2
    those within the x-extent of its k neighbours, all in the max-norm. Neither bound; it is
    consistent, but reads too low in high dimension and for strong dependence. A larger k increases
    this bias and lowers the variance. Kraskov et al. 2004, https://arxiv.org/abs/cond-mat/0305641

    `lnc` corrects for a density that is not uniform among the k neighbours. If the box that holds
    them along principal axes is smaller than `lnc` times the box along the coordinates, the
    logarithm of that ratio is added: that of the pair's box, minus those of x and of y, so that
    columns of x that depend on each other add little. k must exceed twice the number of columns of
    x and y, or few points fill a small box by chance. Gao et al. 2015,
    https://arxiv.org/abs/1411.2003

    The standard error is the spread of the N terms over sqrt(N), which is slightly too small for
    small k. Equal values are told apart by noise: `doubts` warns of many, which
    estimator=mixture_knn counts. The cost is a k-d tree in low dimension, and N^2 distances,
    computed in blocks, in high dimension.

    `scale` lets columns of unlike scale be compared, and many columns be told apart by what they
    have to do with the other side: see estimators.comparable. Others stay as they are.

    Raises ValueError for `k` below 1, for `lnc` outside (0, 1], and for rows that are not paired,
    not finite or too few.
    """

    k: int = 3
    version: Literal[1, 2] = 1
    lnc: float | None = None
    scale: bool = True
    kind: ClassVar[Kind] = "neither"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise SettingError("k", "must be a positive integer", self.k)
        if self.lnc is not None and not 0 < self.lnc <= 1:
            raise SettingError(
                "lnc", "must be above 0 and at most 1, or null for no correction", self.lnc
            )

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        return mean_of(self.terms(x, y))

    def terms(self, x: Tensor, y: Tensor) -> Float64[np.ndarray, " N"]:
        """The terms of all points in nats, whose mean is the estimate."""
        dim = x.shape[-1] + y.shape[-1]
        if self.lnc is not None and self.k <= 2 * dim:
            raise SettingError(
                "k",
                f"must be above {2 * dim}, twice the number of columns of x and y, to use lnc",
                self.k,
            )
        tables = paired(x, y, self.k + 2)
        return self._terms(*jittered(*(comparable(*tables) if self.scale else tables)))

    def doubts(self, x: Tensor, y: Tensor) -> Sequence[str]:
        """A warning if many rows of a column are equal."""
        return doubts_of_ties(x, y, self.k)

    def _terms(
        self, x: Float64[np.ndarray, "N D_x"], y: Float64[np.ndarray, "N D_y"]
    ) -> Float64[np.ndarray, " N"]:
        neighbours = nearest(np.hstack([x, y]), self.k)
        near_x, near_y = x[neighbours] - x[:, None], y[neighbours] - y[:, None]
        radius_x, radius_y = np.abs(near_x).max((1, 2)), np.abs(near_y).max((1, 2))
        if self.version == 1:
            radius_x = radius_y = np.maximum(radius_x, radius_y)
            inside = np.nextafter(radius_x, 0)
            counted = digamma(count_within(x, inside) + 1) + digamma(count_within(y, inside) + 1)
        else:
            counted = (
                digamma(count_within(x, radius_x)) + digamma(count_within(y, radius_y)) + 1 / self.k
            )
        terms = digamma(self.k) + digamma(len(x)) - counted
        return (
            terms
            if self.lnc is None
            else terms + _non_uniformity(near_x, radius_x, near_y, radius_y, math.log(self.lnc))
        )


def _non_uniformity(
    near_x: Float64[np.ndarray, "N k D_x"],
    radius_x: Float64[np.ndarray, " N"],
    near_y: Float64[np.ndarray, "N k D_y"],
    radius_y: Float64[np.ndarray, " N"],
    threshold: float,
) -> Float64[np.ndarray, " N"]:
    """log(V'_x V'_y / V'_xy) - log(V_x V_y / V_xy), where V' is the box along principal axes, if
    small enough.
    """
    log_x, log_y = near_x.shape[2] * np.log(radius_x), near_y.shape[2] * np.log(radius_y)
    shrunk = [
        _log_box(near) - log_volume
        for near, log_volume in (
            (near_x, log_x),
            (near_y, log_y),
            (np.concatenate([near_x, near_y], axis=2), log_x + log_y),
        )
    ]
    of_x, of_y, of_pair = (np.where(ratio < threshold, ratio, 0.0) for ratio in shrunk)
    return of_x + of_y - of_pair


def _log_box(near: Float64[np.ndarray, "N k D"]) -> Float64[np.ndarray, " N"]:
    """Log volume, by half sides, of the box along principal axes that holds the offsets `near`."""
    axes = np.linalg.eigh(np.swapaxes(near, 1, 2) @ near)[1]
    return np.log(np.abs(near @ axes).max(1)).sum(1)
