"""Pairs whose mutual information increases in steps while a critic is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.maps import Map
from infobound.datasets.pairs.transformed import Transformed
from infobound.errors import SettingError


@dataclass(frozen=True)
class GaussianStaircase:
    """`steps` training steps at each of the `levels` in nats, with pairs from
    `joint(mutual_information=level)`, transformed by the maps.

    It is the task of the figures in Poole et al. 2019 (https://arxiv.org/abs/1905.06922) and SMILE
    (https://arxiv.org/abs/1910.06222).

    Raises ValueError if there are no levels or no steps.
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
            raise SettingError("levels", "must list at least one mutual information", "none")
        if self.steps < 1:
            raise SettingError("steps", "must be a positive integer", self.steps)
        stairs = (
            Transformed(self.joint(mutual_information=nats), self.x_map, self.y_map)
            for nats in self.levels
        )
        object.__setattr__(self, "stairs", tuple(stairs))

    def at(self, step: int) -> Joint:
        """The distribution at a training step, counted from 0; after the end it stays the last
        one.
        """
        return self.stairs[min(step // self.steps, len(self.stairs) - 1)]
