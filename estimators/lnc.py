"""KSG with a correction for densities that are not uniform among neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Kind, SampleEstimate
from infobound.estimators.ksg import KSG
from infobound.estimators.ties import doubts_of_ties

LEAST = 5
"""Smallest number of neighbours that fill a box."""


@dataclass(frozen=True, kw_only=True)
class LNC:
    """KSG's version 2 with its option `lnc` = `alpha`: where the k neighbours fill a narrow box
    along principal axes, the logarithm of how narrow it is counts as information.

    It reads strong dependence in low dimension from far fewer rows than KSG, and is KSG where
    neighbours fill their box. k is twice the number of columns of x and y plus 1, and at least 5,
    if None; `scale` is that of KSG. Neither bound. Gao et al. 2015, https://arxiv.org/abs/1411.2003

    Raises ValueError for `k` that is below this, for `alpha` outside (0, 1], and for rows that are
    not paired, not finite or too few.
    """

    k: int | None = None
    alpha: float = 0.25
    scale: bool = True
    kind: ClassVar[Kind] = "neither"

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            raise SettingError("k", "must be a positive integer or null", self.k)
        if not 0 < self.alpha <= 1:
            raise SettingError("alpha", "must be above 0 and at most 1", self.alpha)

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        return KSG(k=self._neighbours(x, y), version=2, lnc=self.alpha, scale=self.scale)(x, y)

    def doubts(self, x: Tensor, y: Tensor) -> Sequence[str]:
        """A warning if many rows of a column are equal."""
        return doubts_of_ties(x, y, self._neighbours(x, y))

    def _neighbours(self, x: Tensor, y: Tensor) -> int:
        columns = x.shape[-1] + y.shape[-1]
        return max(LEAST, 2 * columns + 1) if self.k is None else self.k
