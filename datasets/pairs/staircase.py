"""Pairs whose mutual information climbs while a critic is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.maps import Map
from infobound.datasets.pairs.transformed import Transformed
from infobound.errors import SettingError


@dataclass(frozen=True)
class GaussianStaircase:
    """`steps` training steps at each of the `levels` in nats, of pairs from
    `joint(mutual_information=level)` through the maps.

    The figures of Poole et al. 2019 (https://arxiv.org/abs/1905.06922) and SMILE
    (https://arxiv.org/abs/1910.06222).

    Raises ValueError if there is no level or no step.
    """

    joint: Callable[..., Joint]
    levels: Sequence[float]
    steps: int
    x_map: Map
    y_map: Map
    stairs: Sequence[Joint] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        if not self.levels:
            raise SettingError("levels", "must hold one mutual information at least", "none")
        if self.steps < 1:
            raise SettingError("steps", "must be a positive integer", self.steps)
        stairs = (
            Transformed(self.joint(mutual_information=nats), self.x_map, self.y_map)
            for nats in self.levels
        )
        object.__setattr__(self, "stairs", tuple(stairs))

    def at(self, step: int) -> Joint:
        """The distribution of a training step, counted from 0; past the end it stays the last."""
        return self.stairs[min(step // self.steps, len(self.stairs) - 1)]
