"""The codes of an encoder as distributions of pairs, with their inputs and with the labels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infobound.datasets.interfaces import Joint
from infobound.runners.infoshape.codes import encode


@dataclass(frozen=True, eq=False)
class CodePairs:
    """A Joint of fresh inputs, or their labels, and their codes."""

    base: Joint
    encoder: nn.Module
    of_input: bool
    rows: int
    device: torch.device
    mutual_information: float | None = None

    @property
    def dim_x(self) -> int:
        return self.base.dim_x if self.of_input else self.base.dim_y

    @property
    def dim_y(self) -> int:
        return self.sample(2, torch.Generator(self.device))[1].shape[1]

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x) and y (size, dim_y)."""
        x, y = self.base.sample(size, generator)
        return x if self.of_input else y, encode(self.encoder, x, generator)

    def each(self, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As many pairs as there are test rows, for estimators without a critic."""
        return self.sample(self.rows, generator)
