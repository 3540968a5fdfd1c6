"""Pairs transformed by maps that do not change their mutual information."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.maps import Identity, Increasing, Map


@dataclass(frozen=True)
class Transformed:
    """Pairs x_map(x), y_map(y) from pairs x, y of `base`; invertible maps do not change I(X; Y).

    Raises ValueError if a map does not accept the number of dimensions of its side.
    """

    base: Joint
    x_map: Map
    y_map: Map

    def __post_init__(self) -> None:
        for name, each, dim in (
            ("x_map", self.x_map, self.base.dim_x),
            ("y_map", self.y_map, self.base.dim_y),
        ):
            try:
                each.dim(dim)
            except ValueError as error:
                raise ValueError(f"{name} does not fit: {error}") from error

    @property
    def dim_x(self) -> int:
        return self.x_map.dim(self.base.dim_x)

    @property
    def dim_y(self) -> int:
        return self.y_map.dim(self.base.dim_y)

    @property
    def mutual_information(self) -> float | None:
        return self.base.mutual_information

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        x, y = self.base.sample(size, generator)
        return self.x_map(x), self.y_map(y)


def up_to_ranks(joint: Joint) -> Joint:
    """Return `joint` without its outermost increasing maps. Distributions with equal results are
    the same after ranking each dimension.
    """
    if not isinstance(joint, Transformed):
        return joint
    x_map, y_map = (
        Identity() if isinstance(each, Increasing) else each for each in (joint.x_map, joint.y_map)
    )
    if x_map == y_map == Identity():
        return up_to_ranks(joint.base)
    return replace(joint, x_map=x_map, y_map=y_map)
