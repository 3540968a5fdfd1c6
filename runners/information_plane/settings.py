"""The length of the training, and when layers are read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from infobound.errors import SettingError
from infobound.runners.training import limits
from infobound.runners.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Course(Settings):
    """A training of `epochs` epochs, with readings before the first step, after the last, and after
    the epochs `readings`; a number means this many readings, evenly spaced in the logarithm of the
    epoch.

    Raises ValueError for epochs outside the training.
    """

    epochs: int
    readings: Sequence[int] | int

    def __post_init__(self) -> None:
        limits.at_least(self, epochs=1)
        if isinstance(self.readings, int):
            if self.readings < 1:
                raise SettingError(
                    "readings", "must be a positive number, or a list of epochs", self.readings
                )
        elif any(not 0 <= epoch <= self.epochs for epoch in self.readings):
            raise SettingError(
                "readings", f"must be epochs from 0 to {self.epochs}", [*self.readings]
            )

    @property
    def due(self) -> frozenset[int]:
        """The epochs after which layers are read."""
        if not isinstance(self.readings, int):
            return frozenset([0, *self.readings, self.epochs])
        spaced = torch.logspace(0, math.log10(self.epochs), self.readings, dtype=torch.float64)
        return frozenset([0, *map(round, spaced.tolist()), self.epochs])
