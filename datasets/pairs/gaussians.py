"""Correlated Gaussian pairs, the standard example with known mutual information."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.errors import SettingError

LIMIT = 15.0
"""Largest number of nats a dimension: the noise has a deviation of 3e-7, the limit of float32."""


@dataclass(frozen=True)
class CorrelatedGaussians:
    """x ~ N(0, I) and y = rho x + sqrt(1 - rho^2) e with e ~ N(0, I), in `dim` dimensions each.

    I(X; Y) = -(dim / 2) log(1 - rho^2) nats. Give either `rho` or `mutual_information`. In both
    cases `mutual_information` and `correlation` return the values.

    Raises ValueError if both or neither are given, or one is out of range.
    """

    dim: int = 20
    rho: float | None = None
    mutual_information: float | None = None
    correlation: float = field(init=False)

    def __post_init__(self) -> None:
        rho, nats = self.rho, self.mutual_information
        if self.dim < 1:
            raise SettingError("dim", "must be a positive integer", self.dim)
        if rho is not None and nats is None:
            if not abs(rho) < 1:
                raise SettingError("rho", "must lie between -1 and 1, both excluded", rho)
            nats = self.dim / 2 * math.log1p(rho**2 / (1 - rho**2))
        elif nats is not None and rho is None:
            if not 0 <= nats < math.inf:
                raise SettingError(
                    "mutual_information", "must be a finite number of nats, 0 or more", nats
                )
            rho = math.sqrt(-math.expm1(-2 * nats / self.dim))
        else:
            raise SettingError(
                ("rho", "mutual_information"),
                "determine each other, so exactly one must be given",
                f"{rho} and {nats}",
                "set the other to null, as in dataset.rho=0.5 dataset.mutual_information=null",
            )
        if nats > LIMIT * self.dim:
            most = f"{LIMIT * self.dim} nats in {self.dim} dimensions"
            raise SettingError(
                "mutual_information", f"must be at most {most}, where float32 ends", nats
            )
        object.__setattr__(self, "mutual_information", nats)
        object.__setattr__(self, "correlation", rho)

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, dim) float32 on the generator's device."""
        x = torch.randn(size, self.dim, generator=generator, device=generator.device)
        y = torch.randn(size, self.dim, generator=generator, device=generator.device)
        return x, y.mul_(math.sqrt(1 - self.correlation**2)).add_(x, alpha=self.correlation)
