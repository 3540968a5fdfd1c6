"""The interfaces of data sets for runners: a distribution of pairs, a table of pairs, views of
examples, or labelled images.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.transforms import Transform

Order = Literal["none", "time"]
"""The meaning of the order of a table's rows: none, or that they follow one another."""


@runtime_checkable
class Joint(Protocol):
    """A distribution of pairs from which any number of samples can be drawn."""

    @property
    def dim_x(self) -> int: ...

    @property
    def dim_y(self) -> int: ...

    @property
    def mutual_information(self) -> float | None:
        """The exact mutual information in nats, None if it is unknown."""
        ...

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw independent pairs x (size, dim_x) and y (size, dim_y), float32, on the generator's
        device.
        """
        ...


class About(NamedTuple):
    """Facts about a table's rows besides their numbers."""

    units: Tensor | None = None
    """(N,) int64: rows with the same number stay in one split; None if every row is on its own."""
    places: Tensor | None = None
    """(N,) int64: the positions of the rows in their file; None if all of its rows are here."""
    warnings: Sequence[str] = ()
    """Facts that a user should know, such as the number of rows left out."""
    order: Order = "none"
    """With `time`, splits are contiguous and have gaps between them, errors are those of as many
    independent rows, and permutations are rotations.
    """
    copies: Tensor | None = None
    """(N,) int64: copies of one row have the same number; None if there are none."""


@runtime_checkable
class Rows(Protocol):
    """A finite table of pairs, which a runner splits into training, validation and test rows."""

    @property
    def mutual_information(self) -> float | None:
        """The exact mutual information in nats, None if it is unknown."""
        ...

    @property
    def x(self) -> Tensor:
        """(N, dim_x) float32, or float64 if float32 would round away part of the variation."""
        ...

    @property
    def y(self) -> Tensor:
        """(N, dim_y) float32 or float64, paired with x by row."""
        ...

    @property
    def validation(self) -> float:
        """Share of validation rows, which decide when to stop."""
        ...

    @property
    def test(self) -> float | int:
        """Share of test rows, which are read once for the estimate; an integer is a number of rows,
        always the last ones.
        """
        ...

    @property
    def folds(self) -> int | None:
        """Number of folds, each of which is once the test rows, instead of the share `test`; None
        for a single split.
        """
        ...

    @property
    def transform(self) -> Transform:
        """The transform of each dimension, fitted on the training rows."""
        ...

    @property
    def about(self) -> About: ...


class Examples(NamedTuple):
    """Two views of each example as bytes, with its label."""

    x: Tensor
    """(N, dim_x) uint8."""
    y: Tensor
    """(N, dim_y) uint8, paired with x by row."""
    labels: Tensor
    """(N,) int64, from 0."""


@runtime_checkable
class Views(Protocol):
    """Labelled examples with two views each; the training keeps the bytes on a device and asks for
    the views of a batch.
    """

    @property
    def train_examples(self) -> Examples: ...

    @property
    def test_examples(self) -> Examples: ...

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Convert the bytes x (..., dim_x), y (..., dim_y) to a model's inputs: float32 of the same
        shapes, on their device.

        The generator, on the same device, draws the noise.
        """
        ...


@runtime_checkable
class Classified(Protocol):
    """Labelled images; the training keeps them on a device and asks for a classifier's inputs for
    each batch.

    They are kept as bytes, or as float32 if converting them takes longer than reading four times
    the memory.
    """

    @property
    def classes(self) -> int:
        """The number of classes."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of a classifier's input for one image."""
        ...

    @property
    def train_images(self) -> Labelled: ...

    @property
    def validation_images(self) -> Labelled:
        """Validation images, held out from the training images; may be empty."""
        ...

    @property
    def test_images(self) -> Labelled: ...

    def seen(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Convert images (N, *kept) to a classifier's inputs (N, *shape), float32, on their device.

        The generator, on the same device, draws what varies between two uses of a training image.
        Held-out images have no generator and are always the same.
        """
        ...


@runtime_checkable
class Boxed(Classified, Protocol):
    """Images in which the place of the labelled object is known."""

    @property
    def test_boxes(self) -> Tensor:
        """First row, first column, height and width (N, 4) int64 of the object in each test
        image.
        """
        ...


@runtime_checkable
class Disturbed(Classified, Protocol):
    """Images that show a nuisance in addition to the labelled object."""

    @property
    def test_nuisances(self) -> Tensor:
        """(N,) int64, the nuisance in each test image, from 0."""
        ...
