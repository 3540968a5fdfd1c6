"""Spirals in the plane; each arm is a mode."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.modes.interface import Recognised
from infobound.errors import SettingError

STANDARD_DEVIATIONS = 3
"""Maximum distance of a high-quality sample from its arm."""
POINTS = 2048
"""Number of points of an arm from which distances are measured; at three standard deviations the
error is 0.2 %.
"""
CHUNK = 4096
"""Number of samples whose distances are held in memory at once."""


@dataclass(frozen=True, eq=False)
class Spirals:
    """x = (c_k(u) + noise) / scale in the plane, with u uniform on (0, 1) and the arm k, which is
    the label, uniform too.
    """

    arms: Callable[[Tensor], Tensor]
    """The curves, u (N,) -> (arms, N, 2)."""
    std: float
    """Standard deviation of the noise in each coordinate."""
    uniform: bool
    """Whether the noise is uniform; otherwise it is normal."""
    scale: Tensor
    """(2,)"""

    @classmethod
    def two(cls, degrees: float = 780, noise: float = 0.5) -> "Spirals":
        """Two arms: (-n cos n, n sin n) + U(0, `noise`)^2 with n = sqrt(u) `degrees` in radians,
        and its negative, scaled to -1..1.

        Raises ValueError if `degrees` is not positive, or `noise` is not less than the gap of pi
        between the arms.
        """
        if not 0 < degrees < math.inf:
            raise SettingError("degrees", "must be a positive number", degrees)
        if not 0 < noise < math.pi:
            raise SettingError(
                "noise", f"must be positive and less than the {math.pi:.3f} between the arms", noise
            )

        def arms(u: Tensor) -> Tensor:
            n = math.radians(degrees) * u.sqrt()
            arm = torch.stack([-n * n.cos(), n * n.sin()], dim=-1) + noise / 2
            return torch.stack([arm, -arm])

        farthest = (
            arms(torch.linspace(0, 1, POINTS, dtype=torch.float64)).abs().amax(dim=(0, 1))
            + noise / 2
        )
        return cls(arms, noise / math.sqrt(12), uniform=True, scale=farthest)

    @classmethod
    def three(cls, noise: float = 0.05) -> "Spirals":
        """Three arms: r (sin t, cos t) with r = 0.5 + 2.5 u and t = 2 pi u, its negative, and 6
        (sin t, cos t), a circle around them.

        Raises ValueError if `noise`, a standard deviation, is not positive or blurs the arms into
        each other.
        """
        if not 0 < noise < 0.3:
            raise SettingError(
                "noise",
                "must be positive and less than 0.3, a quarter of the gap between the arms",
                noise,
            )
        return cls(_two_in_a_circle, noise, uniform=False, scale=torch.ones(2, dtype=torch.float64))

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,)

    @property
    def classes(self) -> int:
        return len(self.arms(torch.zeros(1)))

    @property
    def shares(self) -> Tensor:
        return torch.full((self.classes,), 1 / self.classes, dtype=torch.float64)

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        labels = torch.randint(self.classes, (size,), generator=generator, device=device)
        points = self.arms(torch.rand(size, generator=generator, device=device))[
            labels, torch.arange(size, device=device)
        ]
        return (points + self._noise(size, generator)) / self.scale.to(points), labels

    def held_out(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.sample(size, generator)

    def recognise(self, x: Tensor) -> Recognised:
        points = self.arms(torch.linspace(0, 1, POINTS, device=x.device, dtype=x.dtype))
        distances = [_distance(chunk, points) for chunk in (x * self.scale.to(x)).split(CHUNK)]
        distance, nearest = torch.cat(distances, dim=1).min(dim=0)
        return Recognised(nearest, distance <= STANDARD_DEVIATIONS * self.std)

    def _noise(self, size: int, generator: torch.Generator) -> Tensor:
        """Draw noise (size, 2)."""
        if self.uniform:
            return (
                math.sqrt(12)
                * self.std
                * (torch.rand(size, 2, generator=generator, device=generator.device) - 0.5)
            )
        return self.std * torch.randn(size, 2, generator=generator, device=generator.device)


def _two_in_a_circle(u: Tensor) -> Tensor:
    angle = 2 * math.pi * u
    direction = torch.stack([angle.sin(), angle.cos()], dim=-1)
    arm = (0.5 + 2.5 * u)[:, None] * direction
    return torch.stack([arm, -arm, 6 * direction])


def _distance(x: Tensor, points: Tensor) -> Tensor:
    """Distances (arms, N) of samples x (N, 2) from arms (arms, points, 2)."""
    return torch.cdist(
        x.expand(len(points), -1, -1), points, compute_mode="donot_use_mm_for_euclid_dist"
    ).amin(dim=2)
