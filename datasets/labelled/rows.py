"""What labelled rows with pivots are to a runner: a sampler of them, or a table."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Pivot(NamedTuple):
    """A variable that a classifier's score is to tell nothing of."""

    name: str
    categories: Sequence[str]
    """What its numbers 0, 1, ... stand for; none of them where it is continuous."""


class LabelledRows(NamedTuple):
    """What a classifier sees, what it has to tell, and what it is not to tell."""

    x: Tensor
    """(N, D) float32, the features."""
    labels: Tensor
    """(N,) int64, from 0."""
    pivots: Tensor
    """(N, P) float32; a category is a whole number from 0."""
    weights: Tensor | None = None
    """(N,) float32, 0 or more: how much each row counts; None where all count alike."""


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
