"""Discrete pairs with a given table of probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from infobound.errors import SettingError

Encoding = Literal["one_hot", "index"]


@dataclass(frozen=True)
class DiscretePairs:
    """P(x = i, y = j) = `table[i][j]`. Each side is a one-hot row or, with encoding `index`, the
    number i or j in one dimension.

    I(X; Y) = sum p_ij log(p_ij / (p_i p_j)) nats, exact.

    Raises ValueError if the rows of the table differ in length, or if its entries are negative or
    do not sum to 1 within 1e-6.
    """

    table: Sequence[Sequence[float]]
    encoding: Encoding

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", tuple(tuple(row) for row in self.table))
        if not self.table or not self.table[0] or len({len(row) for row in self.table}) > 1:
            raise SettingError(
                "table",
                "must have rows of the same length",
                f"lengths {[len(row) for row in self.table]}",
            )
        total = math.fsum(value for row in self.table for value in row)
        if not all(value >= 0 for row in self.table for value in row) or not abs(total - 1) <= 1e-6:
            raise SettingError(
                "table",
                "must hold non-negative probabilities that sum to 1",
                f"a sum of {total:g}",
            )

    @classmethod
    def symmetric(cls, classes: int, flip: float, encoding: Encoding) -> "DiscretePairs":
        """x is uniform over `classes` classes; y is the same class, or with probability `flip` any
        of the others.

        Raises ValueError if there are fewer than two classes or `flip` is not a probability.
        """
        if classes < 2:
            raise SettingError("classes", "must be 2 or more", classes)
        if not 0 <= flip <= 1:
            raise SettingError("flip", "must be a probability", flip)
        other = flip / (classes - 1) / classes
        return cls(
            [
                [(1 - flip) / classes if i == j else other for j in range(classes)]
                for i in range(classes)
            ],
            encoding,
        )

    @property
    def dim_x(self) -> int:
        return len(self.table) if self.encoding == "one_hot" else 1

    @property
    def dim_y(self) -> int:
        return len(self.table[0]) if self.encoding == "one_hot" else 1

    @property
    def mutual_information(self) -> float:
        joint = self._probabilities
        product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
        information = torch.xlogy(joint, joint) - torch.xlogy(joint, product)
        return max(0.0, information.sum().item())

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        flat = self._probabilities.flatten().to(generator.device)
        cell = torch.multinomial(flat, size, replacement=True, generator=generator)
        columns = len(self.table[0])
        return self._encoded(cell // columns, len(self.table)), self._encoded(
            cell % columns, columns
        )

    def _encoded(self, index: Tensor, classes: int) -> Tensor:
        return (
            torch.nn.functional.one_hot(index, classes)
            if self.encoding == "one_hot"
            else index[:, None]
        ).float()

    @property
    def _probabilities(self) -> Tensor:
        table = torch.tensor(self.table, dtype=torch.float64)
        return table / table.sum()
