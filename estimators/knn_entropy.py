"""Mutual information as a difference of entropies, each from nearest neighbours.

N points, k neighbours, D features, D_x and D_y features of x and y.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64
from scipy.special import digamma
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Kind, SampleEstimate
from infobound.estimators.comparable import comparable, standardised
from infobound.estimators.neighbours import reach
from infobound.estimators.rows import mean_of, paired
from infobound.estimators.ties import doubts_of_ties, jittered


@dataclass(frozen=True, kw_only=True)
class KNNEntropy:
    """H(x) + H(y) - H(x, y) by H = psi(N) - psi(k) + D <log 2 rho>, with rho the distance to the
    k-th neighbour in the max-norm.

    Neither bound; each entropy is consistent, but their biases do not cancel as in KSG, which reads
    closer in most cases. Kozachenko and Leonenko 1987, as in Kraskov et al. 2004, section II,
    https://arxiv.org/abs/cond-mat/0305641

    Equal values are told apart by noise, and entropies fall with it without limit: `doubts` warns
    of many. `scale` is that of KSG, without ranks, which have no entropy of their own. The standard
    error is that of KSG.

    Raises ValueError for `k` below 1, for rows that are not paired, not finite or too few, and for
    constant columns.
    """

    k: int = 3
    scale: bool = True
    kind: ClassVar[Kind] = "neither"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise SettingError("k", "must be a positive integer", self.k)

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        tables = paired(x, y, self.k + 2)
        x_rows, y_rows = jittered(*(comparable(*tables, standardised) if self.scale else tables))
        sides = (x_rows, y_rows, np.hstack([x_rows, y_rows]))
        of_x, of_y, of_pair = (_entropy(side, self.k) for side in sides)
        return mean_of(digamma(len(x)) - digamma(self.k) + of_x + of_y - of_pair)

    def doubts(self, x: Tensor, y: Tensor) -> Sequence[str]:
        """A warning if many rows of a column are equal."""
        return doubts_of_ties(x, y, self.k)


def _entropy(points: Float64[np.ndarray, "N D"], k: int) -> Float64[np.ndarray, " N"]:
    """The terms D log 2 rho."""
    radius = reach(points, k)
    if not radius.all():
        raise ValueError(
            "x and y must differ between rows to have an entropy, got neighbours at the distance 0;"
            " use estimator=mixture_knn"
        )
    return points.shape[1] * np.log(2 * radius)
