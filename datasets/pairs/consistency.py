"""Data sets whose mutual information is a known multiple of another's, whatever that is.

A good estimate reads 0 of independent pairs, as much of processed ones, twice as much of doubled
ones.

Song and Ermon 2020, https://arxiv.org/abs/1910.06222
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint, Rows
from infobound.datasets.pairs.independent import Independent
from infobound.datasets.transforms import Transform

Pairs = tuple[Tensor, Tensor]
EXPECTED = {"independence": 0, "data_processing": 1, "additivity": 2}
"""The multiple of I(X; Y) that each derived data set has."""


@dataclass(frozen=True)
class Processed:
    """([x, x], [y, h(y)]) of `base`, which say of one another what x and y do."""

    base: Joint

    @property
    def dim_x(self) -> int:
        return 2 * self.base.dim_x

    @property
    def dim_y(self) -> int:
        return 2 * self.base.dim_y

    @property
    def mutual_information(self) -> float | None:
        return self.base.mutual_information

    def sample(self, size: int, generator: torch.Generator) -> Pairs:
        """Pairs x (size, 2 dim_x), y (size, 2 dim_y) float32 on the generator's device."""
        return processed(*self.base.sample(size, generator))


@dataclass(frozen=True)
class Doubled:
    """([x, x'], [y, y']) of two independent pairs of `base`."""

    base: Joint

    @property
    def dim_x(self) -> int:
        return 2 * self.base.dim_x

    @property
    def dim_y(self) -> int:
        return 2 * self.base.dim_y

    @property
    def mutual_information(self) -> float | None:
        return None if self.base.mutual_information is None else 2 * self.base.mutual_information

    def sample(self, size: int, generator: torch.Generator) -> Pairs:
        """Pairs x (size, 2 dim_x), y (size, 2 dim_y) float32 on the generator's device."""
        return doubled(self.base.sample(size, generator), self.base.sample(size, generator))


@dataclass(frozen=True, eq=False)
class DerivedRows:
    """Rows x (N, ...), y (N, ...) that are split and transformed as those of `base`."""

    base: Rows
    x: Tensor
    y: Tensor
    mutual_information: float | None = None

    @property
    def validation(self) -> float:
        return self.base.validation

    @property
    def test(self) -> float | int:
        return self.base.test

    @property
    def folds(self) -> int | None:
        return self.base.folds

    @property
    def transform(self) -> Transform:
        return self.base.transform


def processed(x: Tensor, y: Tensor) -> Pairs:
    """[x, x] and [y, max(y, 0)]: a copy, and a part of what y says."""
    return torch.cat([x, x], dim=1), torch.cat([y, y.clamp(min=0)], dim=1)


def doubled(first: Pairs, second: Pairs) -> Pairs:
    """Two tables of pairs side by side."""
    return torch.cat([first[0], second[0]], dim=1), torch.cat([first[1], second[1]], dim=1)


def derived(dataset: Joint | Rows, generator: torch.Generator) -> dict[str, Joint | Rows]:
    """The data sets of EXPECTED; the generator puts each row of a table together with another.

    A row of a doubled table stands once on either side. Critics with weights of their own for each
    side learn nothing from a training row that serves them where it is tested on the other side.
    """
    if isinstance(dataset, Joint):
        return {
            "independence": Independent(dataset),
            "data_processing": Processed(dataset),
            "additivity": Doubled(dataset),
        }
    x, y = dataset.x, dataset.y
    order = torch.randperm(len(x), generator=generator)
    others = order.roll(1)[
        order.argsort()
    ]  # a cycle through all rows, so that none is put together with itself
    return {
        "independence": DerivedRows(dataset, x, y[others], 0.0),
        "data_processing": DerivedRows(dataset, *processed(x, y)),
        "additivity": DerivedRows(dataset, *doubled((x, y), (x[others], y[others]))),
    }
