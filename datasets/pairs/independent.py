"""Independent pairs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint


@dataclass(frozen=True)
class Independent:
    """x of one pair of `base` with y of another pair: the margins stay and I(X; Y) = 0."""

    base: Joint

    @property
    def dim_x(self) -> int:
        return self.base.dim_x

    @property
    def dim_y(self) -> int:
        return self.base.dim_y

    @property
    def mutual_information(self) -> float:
        return 0.0

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        x, _ = self.base.sample(size, generator)
        _, y = self.base.sample(size, generator)
        return x, y
