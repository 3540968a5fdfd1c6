"""The two coordinates of noisy points on a circle: uncorrelated but dependent."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.datasets.pairs import quadrature
from infobound.errors import SettingError


@dataclass(frozen=True)
class NoisyRing:
    """x = cos(t) + sigma e and y = sin(t) + sigma e' with t ~ U(0, 2 pi) and e, e' ~ N(0, 1), one
    dimension each.

    I(X; Y) = 2 h(X) - h(X, Y) nats, by quadrature to 1e-9. The marginal density is an integral over
    the angle; the joint density depends only on the radius and has a closed form.

    Raises ValueError if `sigma` is below 0.01, because mutual information diverges.
    """

    sigma: float = 0.1
    mutual_information: float = field(init=False)

    def __post_init__(self) -> None:
        if not 0.01 <= self.sigma < math.inf:
            raise SettingError("sigma", "must be a finite number, 0.01 or more", self.sigma)
        object.__setattr__(
            self, "mutual_information", 2 * self._margin_entropy() - self._joint_entropy()
        )

    @property
    def dim_x(self) -> int:
        return 1

    @property
    def dim_y(self) -> int:
        return 1

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, 1) float32 on the generator's device."""
        angle = 2 * math.pi * torch.rand(size, 1, generator=generator, device=generator.device)
        noise = self.sigma * torch.randn(2, size, 1, generator=generator, device=generator.device)
        return angle.cos() + noise[0], angle.sin() + noise[1]

    def _margin_entropy(self) -> float:
        angle, weights = quadrature.nodes(0, math.pi, self.sigma)
        x, weights_x = quadrature.nodes(-1 - 9 * self.sigma, 1 + 9 * self.sigma, self.sigma)
        density = (
            quadrature.normal_density(x[:, None] - angle.cos(), self.sigma) @ weights / math.pi
        )
        return quadrature.entropy(density, weights_x)

    def _joint_entropy(self) -> float:
        radius, weights = quadrature.nodes(0, 1 + 9 * self.sigma, self.sigma)
        bessel = torch.special.i0e(radius / self.sigma**2)
        density = (
            bessel
            * quadrature.normal_density(radius - 1, self.sigma)
            / (self.sigma * math.sqrt(2 * math.pi))
        )
        return quadrature.entropy(density, weights * 2 * math.pi * radius)
