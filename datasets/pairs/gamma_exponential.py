"""A gamma variable, and an exponential variable whose rate is the gamma variable."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.pairs.gamma import digamma, standard_gamma
from infobound.errors import SettingError


@dataclass(frozen=True)
class GammaExponential:
    """x ~ Gamma(shape, 1) and y ~ Exponential(rate x), one dimension each.

    I(X; Y) = psi(shape + 1) - log(shape) nats, exact (Kraskov et al. 2004,
    https://arxiv.org/abs/cond-mat/0305641).

    Raises ValueError if `shape` is below 0.5, where float32 cannot hold the tails.
    """

    shape: float = 1.5

    def __post_init__(self) -> None:
        if not 0.5 <= self.shape < math.inf:
            raise SettingError("shape", "must be a finite number, 0.5 or more", self.shape)

    @property
    def dim_x(self) -> int:
        return 1

    @property
    def dim_y(self) -> int:
        return 1

    @property
    def mutual_information(self) -> float:
        return digamma(self.shape + 1) - math.log(self.shape)

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, 1) float32 on the generator's device."""
        x = standard_gamma(self.shape, size, generator)
        return x, torch.empty_like(x).exponential_(generator=generator) / x
