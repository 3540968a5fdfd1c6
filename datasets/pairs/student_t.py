"""Multivariate Student-t pairs: heavy tails, and dependence even without correlation."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.pairs.gamma import digamma, standard_gamma
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.errors import SettingError


@dataclass(frozen=True)
class StudentT:
    """(x, y) = g / sqrt(c / dof), where g is a pair of `gaussians` and both sides share c ~
    chi^2(dof).

    The covariance of g is the scale matrix. I(X; Y) is that of g plus f(dim_x) + f(dim_y) - f(dim_x
    + dim_y) nats, exact, where f(k) = log Gamma(a) - log Gamma(b) + b (psi(b) - psi(a)), a = dof /
    2 and b = (dof + k) / 2 (Arellano-Valle et al. 2013,
    https://doi.org/10.1111/j.1467-9469.2011.00774.x; Czyz et al. 2023,
    https://arxiv.org/abs/2306.11078).

    Raises ValueError if `dof` is below 0.5, where float32 cannot hold the tails.
    """

    gaussians: CorrelatedGaussians | MultivariateGaussians
    dof: float

    def __post_init__(self) -> None:
        if not 0.5 <= self.dof < math.inf:
            raise SettingError(
                "dof", "must be a finite number of degrees of freedom, 0.5 or more", self.dof
            )

    @property
    def dim_x(self) -> int:
        return self.gaussians.dim_x

    @property
    def dim_y(self) -> int:
        return self.gaussians.dim_y

    @property
    def mutual_information(self) -> float:
        linear = self.gaussians.mutual_information
        assert linear is not None
        return (
            linear
            + self._entropy(self.dim_x)
            + self._entropy(self.dim_y)
            - self._entropy(self.dim_x + self.dim_y)
        )

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        x, y = self.gaussians.sample(size, generator)
        stretch = (standard_gamma(self.dof / 2, size, generator) / (self.dof / 2)).rsqrt()
        return x * stretch, y * stretch

    def _entropy(self, dim: int) -> float:
        """Differential entropy with the identity as scale matrix, without the terms linear in
        `dim`, which cancel.
        """
        half, total = self.dof / 2, (self.dof + dim) / 2
        return math.lgamma(half) - math.lgamma(total) + total * (digamma(total) - digamma(half))
