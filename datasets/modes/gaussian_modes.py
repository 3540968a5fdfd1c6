"""Normal modes in the plane, on a grid or around a ring."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.modes.interface import Recognised
from infobound.errors import SettingError

STANDARD_DEVIATIONS = 3
"""Maximum distance of a high-quality sample from its mode; the share exp(-4.5) of a mode's own
samples is farther away.
"""


@dataclass(frozen=True, eq=False)
class GaussianModes:
    """x ~ N(centres[k], std^2 I) in the plane, k uniform; the label of a sample is its mode k.

    Raises ValueError if `std` is not positive, or so large that neighbouring modes merge.
    """

    centres: Tensor
    """(modes, 2)"""
    std: float

    def __post_init__(self) -> None:
        apart = torch.pdist(self.centres).min().item()
        if not 0 < 2 * self.std < apart:
            raise SettingError(
                "std",
                f"must be positive and less than half of the {apart:g} between neighbouring"
                " modes, or they cannot be told apart",
                f"{self.std:g}",
            )

    @classmethod
    def grid(
        cls, side: int = 5, spacing: float = 2.0, std: float = 0.05, standardised: bool = False
    ) -> "GaussianModes":
        """A grid of `side` times `side` modes around 0, `spacing` apart; `standardised` divides
        everything by one standard deviation.

        Raises ValueError also if there are fewer than two modes, or `spacing` is not positive.
        """
        if side < 2:
            raise SettingError("side", "must be 2 or more modes", side)
        if not 0 < spacing < math.inf:
            raise SettingError("spacing", "must be a positive number", spacing)
        places = spacing * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
        made = cls(torch.cartesian_prod(places, places), std)
        return made.standardised() if standardised else made

    @classmethod
    def ring(cls, modes: int = 8, radius: float = 2.0, std: float = 0.02) -> "GaussianModes":
        """A ring of `modes` modes around 0.

        Raises ValueError also if there are fewer than two modes, or `radius` is not positive.
        """
        if modes < 2:
            raise SettingError("modes", "must be 2 or more", modes)
        if not 0 < radius < math.inf:
            raise SettingError("radius", "must be a positive number", radius)
        angles = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
        return cls(radius * torch.stack([angles.cos(), angles.sin()], dim=1), std)

    def standardised(self) -> "GaussianModes":
        """The same modes, divided by the standard deviation of all coordinates."""
        scale = math.hypot(self.centres.std(correction=0).item(), self.std)
        return GaussianModes(self.centres / scale, self.std / scale)

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,)

    @property
    def classes(self) -> int:
        return len(self.centres)

    @property
    def shares(self) -> Tensor:
        return torch.full((self.classes,), 1 / self.classes, dtype=torch.float64)

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        labels = torch.randint(self.classes, (size,), generator=generator, device=device)
        noise = torch.randn(size, 2, generator=generator, device=device)
        return self._placed(noise)[labels] + self.std * noise, labels

    def held_out(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.sample(size, generator)

    def recognise(self, x: Tensor) -> Recognised:
        distance, nearest = torch.cdist(
            x, self._placed(x), compute_mode="donot_use_mm_for_euclid_dist"
        ).min(dim=1)
        return Recognised(nearest, distance <= STANDARD_DEVIATIONS * self.std)

    def _placed(self, like: Tensor) -> Tensor:
        """The centres with the type and device of another tensor."""
        return self.centres.to(like)
