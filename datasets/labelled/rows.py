"""What labelled rows with pivots are to a runner: a sampler of them, or a table.

N rows, D features, P pivots, R copies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Pivot(NamedTuple):
    """A variable that a classifier's score is to tell nothing of."""

    name: str
    categories: Sequence[str]
    """What its numbers 0, 1, ... stand for; none of them where it is continuous."""


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """What a classifier sees, what it has to tell, and what it is not to tell, from the file to the
    figures.

    A batch of several copies has (R, N) in place of (N,) ahead of each shape.
    """

    x: Tensor
    """(N, D) float32, the features."""
    labels: Tensor
    """(N,) int64, from 0."""
    pivots: Tensor
    """(N, P) float32; a category is a whole number from 0."""
    weights: Tensor | None = None
    """(N,) float32, 0 or more: how much each row counts; None where all count alike."""

    @classmethod
    def stacked(cls, copies: "Sequence[LabelledRows]") -> "LabelledRows":
        """(R, N, ...) of the rows (N, ...) of each copy, all of them with weights or none."""
        weights = [each.weights for each in copies if each.weights is not None]
        return cls(
            torch.stack([each.x for each in copies]),
            torch.stack([each.labels for each in copies]),
            torch.stack([each.pivots for each in copies]),
            torch.stack(weights) if weights else None,
        )

    def __len__(self) -> int:
        """N."""
        return self.labels.shape[-1]

    def each(self, change: Callable[[Tensor], Tensor]) -> "LabelledRows":
        """The rows with every field changed alike."""
        weights = None if self.weights is None else change(self.weights)
        return LabelledRows(change(self.x), change(self.labels), change(self.pivots), weights)

    def to(self, device: torch.device) -> "LabelledRows":
        """The rows on a device."""
        return self.each(lambda values: values.to(device))

    def take(self, which: Tensor) -> "LabelledRows":
        """Of rows (N, ...) those that a mask (N,) or the numbers of rows name."""
        return self.each(lambda values: values[which])

    def of_class(self, label: int) -> "LabelledRows":
        """Of rows (N, ...) those of one class."""
        return self.take(self.labels == label)

    def at_most(self, count: int) -> "LabelledRows":
        """Of rows (N, ...) so many, evenly from first to last, or all where there are no more."""
        if len(self) <= count:
            return self
        return self.take(torch.linspace(0, len(self) - 1, count, device=self.x.device).long())


class LabelledSplits(NamedTuple):
    """A table's parts; a feature that was missing and could not be filled before is filled from the
    training rows.
    """

    train: LabelledRows
    validation: LabelledRows
    test: LabelledRows
    places: Tensor
    """(N,) where the test rows stand in their file, among those that were read."""


class Bayes(NamedTuple):
    """What the best of all classifiers reaches."""

    accuracy: float
    cross_entropy: float
    """In nats."""


@runtime_checkable
class Described(Protocol):
    """What is known of labelled rows before any of them is read."""

    @property
    def features(self) -> Sequence[str]:
        """The names of the columns of x."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """What the labels 0, 1, ... stand for, two or more."""
        ...

    @property
    def pivots(self) -> Sequence[Pivot]: ...


@runtime_checkable
class LabelledPopulation(Described, Protocol):
    """Labelled rows with pivots that can be sampled without end."""

    @property
    def bayes(self) -> Bayes | None:
        """None where it is unknown."""
        ...

    def sample(
        self, size: int, generator: torch.Generator, label: int | None = None
    ) -> LabelledRows:
        """Independent rows on the generator's device, all of one class where `label` names it."""
        ...


@runtime_checkable
class LabelledTable(Described, Protocol):
    """A finite table of labelled rows with pivots."""

    @property
    def warnings(self) -> Sequence[str]:
        """What a reader should know of the table, such as what was done with missing values."""
        ...

    def split(self, generator: torch.Generator) -> LabelledSplits:
        """Its parts, drawn by a generator of the processor's unless they stand in files of their
        own.
        """
        ...
