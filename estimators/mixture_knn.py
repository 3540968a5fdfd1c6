"""Mutual information from nearest neighbours where values tie, and where columns mix jumps with a
density.

N points, k neighbours, D features, D_x and D_y of x and y.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64
from scipy.special import digamma
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Kind, SampleEstimate
from infobound.estimators.comparable import comparable
from infobound.estimators.neighbours import count_within, reach
from infobound.estimators.rows import mean_of, paired


@dataclass(frozen=True, kw_only=True)
class MixtureKNN:
    """psi(N) + <psi(m) - psi(n_x) - psi(n_y)>, where m, n_x and n_y count the points, this one
    included, that are closer than the k-th neighbour of the pair: m to the pair, n_x in x, n_y in
    y. If that neighbour is on top of the pair, they count the points on top of it. All distances
    are in the max-norm.

    So it is KSG where no values tie, the count of a table where all do, and right for what lies
    between: a discrete side, values clipped at 0, a mixture of both. Gao et al. 2017,
    https://arxiv.org/abs/1709.06212; for a discrete and a continuous side it is the estimator of
    Ross 2014, https://doi.org/10.1371/journal.pone.0087357. They take k for m, which reads far too
    much where distances tie without being 0, as between rounded numbers.

    Neither bound; consistent, but too low in high dimension and for strong dependence, like KSG.
    `scale` is that of KSG; ties stay ties.

    Raises ValueError for `k` below 1, and for rows that are not paired, not finite or too few.
    """

    k: int = 5
    scale: bool = True
    kind: ClassVar[Kind] = "neither"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise SettingError("k", "must be a positive integer", self.k)

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        return mean_of(self.terms(x, y))

    def terms(self, x: Tensor, y: Tensor) -> Float64[np.ndarray, " N"]:
        """The terms of all points in nats, whose mean is the estimate."""
        tables = paired(x, y, self.k + 2)
        return self._terms(*(comparable(*tables) if self.scale else tables))

    def _terms(
        self, x: Float64[np.ndarray, "N D_x"], y: Float64[np.ndarray, "N D_y"]
    ) -> Float64[np.ndarray, " N"]:
        pairs = np.hstack([x, y])
        radius = reach(pairs, self.k)
        inside = np.where(radius == 0, 0.0, np.nextafter(radius, 0))
        together, of_x, of_y = (digamma(count_within(side, inside) + 1) for side in (pairs, x, y))
        return digamma(len(x)) + together - of_x - of_y
