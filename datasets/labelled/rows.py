"""The interfaces of labelled rows with pivots: a distribution of rows, or a table.

N rows, D features, P pivots, R copies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Pivot(NamedTuple):
    """A variable that a classifier's score must not depend on."""

    name: str
    categories: Sequence[str]
    """Names of its values 0, 1, ...; empty if it is continuous."""


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Features, labels, pivots and weights of rows, from the file to the figures.

    A batch for several copies has (R, N) instead of (N,) at the front of each shape.
    """

    x: Tensor
    """(N, D) features, float32, or float64 if float32 would round away part of the variation."""
    labels: Tensor
    """(N,) int64, from 0."""
    pivots: Tensor
    """(N, P) float32 or float64; categories are whole numbers from 0."""
    weights: Tensor | None = None
    """(N,) float32, the weight of each row, 0 or more; None for equal weights."""
    units: Tensor | None = None
    """(N,) int64: rows with the same number stay in one part of a table; None if every row is on
    its own, and in batches.
    """
    places: Tensor | None = None
    """(N,) int64: the positions of the rows in their file; None if all of them are here, and in
    batches.
    """

    @classmethod
    def stacked(cls, copies: "Sequence[LabelledRows]") -> "LabelledRows":
        """Stack the rows (N, ...) of each copy into batches (R, N, ...), without units and places;
        either all or none have weights.
        """
        weights = [each.weights for each in copies if each.weights is not None]
        return cls(
            torch.stack([each.x for each in copies]),
            torch.stack([each.labels for each in copies]),
            torch.stack([each.pivots for each in copies]),
            torch.stack(weights) if weights else None,
        )

    def __len__(self) -> int:
        """The number of rows, N."""
        return self.labels.shape[-1]

    def each(self, change: Callable[[Tensor], Tensor]) -> "LabelledRows":
        """The rows with the same function applied to every field."""
        optional = self.weights, self.units, self.places
        return LabelledRows(
            *map(change, (self.x, self.labels, self.pivots)),
            *(None if each is None else change(each) for each in optional),
        )

    def to(self, device: torch.device) -> "LabelledRows":
        """The rows on a device."""
        return self.each(lambda values: values.to(device))

    def take(self, which: Tensor) -> "LabelledRows":
        """The rows selected by a mask (N,) or by indices."""
        return self.each(lambda values: values[which])

    def of_class(self, label: int) -> "LabelledRows":
        """The rows of one class."""
        return self.take(self.labels == label)

    def at_most(self, count: int) -> "LabelledRows":
        """At most this many rows, evenly spaced from first to last."""
        if len(self) <= count:
            return self
        return self.take(torch.linspace(0, len(self) - 1, count, device=self.x.device).long())


class LabelledSplits(NamedTuple):
    """The parts of a table; missing features are filled from the training rows."""

    train: LabelledRows
    validation: LabelledRows
    test: LabelledRows
    places: Tensor
    """(N,) positions of the test rows in their file."""


class Bayes(NamedTuple):
    """The performance of the Bayes-optimal classifier."""

    accuracy: float
    cross_entropy: float
    """In nats."""


@runtime_checkable
class Described(Protocol):
    """Facts about labelled rows that are known before any row is read."""

    @property
    def features(self) -> Sequence[str]:
        """The names of the columns of x."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Names of the labels 0, 1, ..., at least two."""
        ...

    @property
    def pivots(self) -> Sequence[Pivot]: ...


@runtime_checkable
class LabelledPopulation(Described, Protocol):
    """A distribution of labelled rows with pivots."""

    @property
    def bayes(self) -> Bayes | None:
        """The Bayes-optimal performance, None if it is unknown."""
        ...

    def sample(
        self, size: int, generator: torch.Generator, label: int | None = None
    ) -> LabelledRows:
        """Draw independent rows on the generator's device, of class `label` if it is given."""
        ...


@runtime_checkable
class LabelledTable(Described, Protocol):
    """A finite table of labelled rows with pivots."""

    @property
    def warnings(self) -> Sequence[str]:
        """Facts that a user should know, such as the treatment of missing values."""
        ...

    def whole(self) -> LabelledRows:
        """Every row of the file that is split; NaN where a feature is missing and will be
        filled.
        """
        ...

    def split(self, generator: torch.Generator) -> LabelledSplits:
        """Split the table with a generator on the CPU, unless the parts have their own files."""
        ...
