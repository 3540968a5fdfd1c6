"""Batches whose pairs share a latent variable. Bounds that use the y of other pairs as negatives
read too high on them.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.errors import SettingError


@dataclass(frozen=True)
class SharedLatent:
    """(x, y) = z + e with z ~ N(0, [[1, latent], [latent, 1]]) and e ~ N(0, [[1, noise], [noise,
    1]]), one dimension each.

    With `shared`, all pairs of one call of `sample` share one z: the distribution of each single
    pair is unchanged, but its negatives are not independent of it. I(X; Y) = -log(1 - ((latent +
    noise) / 2)^2) / 2 nats, exact (Tschannen et al. 2020, https://arxiv.org/abs/1907.13625).

    Raises ValueError if a correlation is not between -1 and 1.
    """

    latent: float = -0.5
    noise: float = 0.9
    shared: bool = True

    def __post_init__(self) -> None:
        for name, rho in ("latent", self.latent), ("noise", self.noise):
            if not abs(rho) < 1:
                raise SettingError(name, "must lie between -1 and 1, both excluded", rho)

    @property
    def dim_x(self) -> int:
        return 1

    @property
    def dim_y(self) -> int:
        return 1

    @property
    def mutual_information(self) -> float:
        return -0.5 * math.log1p(-(((self.latent + self.noise) / 2) ** 2))

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, 1) float32 on the generator's device."""
        pairs = _normal(1 if self.shared else size, self.latent, generator) + _normal(
            size, self.noise, generator
        )
        return pairs[:, :1], pairs[:, 1:]


def _normal(size: int, rho: float, generator: torch.Generator) -> Tensor:
    """Draw normal rows (size, 2) with unit variance and correlation rho."""
    pairs = torch.randn(size, 2, generator=generator, device=generator.device)
    pairs[:, 1] = rho * pairs[:, 0] + math.sqrt(1 - rho**2) * pairs[:, 1]
    return pairs
