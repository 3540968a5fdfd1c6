"""Two columns of x act on y only together."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.datasets.pairs import quadrature
from infobound.errors import SettingError

REACH = 9.0
"""Number of standard deviations beyond which a normal density is taken to be 0."""


@dataclass(frozen=True)
class Interaction:
    """x ~ N(0, I) in `dim_x` dimensions and y = x_1 x_2 + sigma e with e ~ N(0, 1) in one: y is
    uncorrelated with every column of x.

    I(X; Y) = h(Y) - log(2 pi e sigma^2) / 2 nats, by quadrature to 1e-9; y is normal given x_1.

    Raises ValueError if `dim_x` is below 2, or if `sigma` is below 0.05, because mutual information
    diverges.
    """

    dim_x: int = 2
    sigma: float = 0.5
    mutual_information: float = field(init=False)

    def __post_init__(self) -> None:
        if self.dim_x < 2:
            raise SettingError("dim_x", "must be 2 or more", self.dim_x)
        if not 0.05 <= self.sigma < math.inf:
            raise SettingError("sigma", "must be a finite number, 0.05 or more", self.sigma)
        object.__setattr__(self, "mutual_information", self._information())

    @property
    def dim_y(self) -> int:
        return 1

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, 1) float32 on the generator's device."""
        x = torch.randn(size, self.dim_x, generator=generator, device=generator.device)
        noise = torch.randn(size, 1, generator=generator, device=generator.device)
        return x, x[:, :2].prod(1, keepdim=True) + self.sigma * noise

    def _information(self) -> float:
        first, weights_first = quadrature.nodes(0, REACH, min(self.sigma, 1.0))
        y, weights_y = quadrature.nodes(0, 5 * REACH * max(1.0, self.sigma), self.sigma)
        deviation = (first.square() + self.sigma**2).sqrt()
        given = (-0.5 * (y[:, None] / deviation) ** 2).exp() / (deviation * math.sqrt(2 * math.pi))
        density = given @ (2 * weights_first * quadrature.normal_density(first, 1.0))
        return 2 * quadrature.entropy(density, weights_y) - quadrature.normal_entropy(self.sigma)
