"""Data sets whose mutual information is a known multiple of that of another data set.

A good estimate is 0 for independent pairs, unchanged for processed pairs, and doubled for doubled
pairs.

Song and Ermon 2020, https://arxiv.org/abs/1910.06222
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.interfaces import About, Joint, Rows
from infobound.datasets.pairs.independent import Independent
from infobound.datasets.transforms import Transform

Pairs = tuple[Tensor, Tensor]
EXPECTED = {"independence": 0, "data_processing": 1, "additivity": 2}
"""The multiple of I(X; Y) that each derived data set has."""


@dataclass(frozen=True)
class Processed:
    """([x, x], [y, h(y)]) of `base`: it has the same mutual information as x and y."""

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
        """Draw pairs x (size, 2 dim_x), y (size, 2 dim_y) float32 on the generator's device."""
        return processed(*self.base.sample(size, generator))


@dataclass(frozen=True)
class Doubled:
    """([x, x'], [y, y']) from two independent pairs of `base`: it has twice the information."""

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
        """Draw pairs x (size, 2 dim_x), y (size, 2 dim_y) float32 on the generator's device."""
        return doubled(self.base.sample(size, generator), self.base.sample(size, generator))


@dataclass(frozen=True, eq=False)
class DerivedRows:
    """Rows x (N, ...), y (N, ...) that are split and transformed in the same way as `base`."""

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

    @property
    def about(self) -> About:
        return self.base.about


def processed(x: Tensor, y: Tensor) -> Pairs:
    """Return [x, x] and [y, max(y, 0)], which add no information."""
    return torch.cat([x, x], dim=1), torch.cat([y, y.clamp(min=0)], dim=1)


def doubled(first: Pairs, second: Pairs) -> Pairs:
    """Put two tables of pairs side by side."""
    return torch.cat([first[0], second[0]], dim=1), torch.cat([first[1], second[1]], dim=1)


def derived(dataset: Joint | Rows, generator: torch.Generator) -> dict[str, Joint | Rows]:
    """Derive the data sets of EXPECTED; the generator combines each row of a table with another
    row.

    The rows of a series are combined with those about half its length later, so that they still
    follow one another. In a doubled table, each row appears once in either half. Critics have
    separate weights for the two halves, so a row in the training data of one half gives no
    advantage when it is tested in the other.
    """
    if isinstance(dataset, Joint):
        return {
            "independence": Independent(dataset),
            "data_processing": Processed(dataset),
            "additivity": Doubled(dataset),
        }
    x, y = dataset.x, dataset.y
    others = _others(dataset, generator)
    return {
        "independence": DerivedRows(dataset, x, y[others], 0.0),
        "data_processing": DerivedRows(dataset, *processed(x, y)),
        "additivity": DerivedRows(dataset, *doubled((x, y), (x[others], y[others]))),
    }


def _others(rows: Rows, generator: torch.Generator) -> Tensor:
    """Another row (N,) for each row, by a cycle through all rows."""
    total = len(rows.x)
    if rows.about.order == "time":
        return torch.arange(total).roll(-(total // 2))
    order = torch.randperm(total, generator=generator)
    return order.roll(1)[order.argsort()]
