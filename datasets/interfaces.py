"""What a data set is to a runner: something that samples pairs, a finite table of them, or views of labelled examples."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from datasets.transforms import Transform


@runtime_checkable
class Joint(Protocol):
    """A distribution of pairs that can be sampled without end."""

    @property
    def dim_x(self) -> int: ...

    @property
    def dim_y(self) -> int: ...

    @property
    def mutual_information(self) -> float | None:
        """The exact mutual information in nats, None where it is unknown."""
        ...

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Independent pairs x (size, dim_x) and y (size, dim_y), float32, on the generator's device."""
        ...


@runtime_checkable
class Rows(Protocol):
    """A finite table of pairs, split into training, validation and test rows by whoever reads it."""

    @property
    def mutual_information(self) -> float | None:
        """The exact mutual information in nats, None where it is unknown."""
        ...

    @property
    def x(self) -> Tensor:
        """(N, dim_x) float32."""
        ...

    @property
    def y(self) -> Tensor:
        """(N, dim_y) float32, paired with x by row."""
        ...

    @property
    def validation(self) -> float:
        """Share of the rows that decide when to stop."""
        ...

    @property
    def test(self) -> float | int:
        """Share of the rows that the estimate is read from, once; an integer is a number of rows, always the last ones."""
        ...

    @property
    def folds(self) -> int | None:
        """Folds, each of them once the test rows in place of the share `test`; None for a single split."""
        ...

    @property
    def transform(self) -> Transform:
        """What is done to each dimension, fitted on the training rows."""
        ...


class Examples(NamedTuple):
    """Two views of each example as bytes, and what the example is."""

    x: Tensor
    """(N, dim_x) uint8."""
    y: Tensor
    """(N, dim_y) uint8, paired with x by row."""
    labels: Tensor
    """(N,) int64, from 0."""


@runtime_checkable
class Views(Protocol):
    """Labelled examples of which two views are seen; who trains keeps the bytes on a device and asks for a batch's views."""

    @property
    def train_examples(self) -> Examples: ...

    @property
    def test_examples(self) -> Examples: ...

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What a model sees of the bytes x (..., dim_x), y (..., dim_y): float32 of these shapes, on their device.

        The generator, on that device too, draws the noise.
        """
        ...
