"""What a data set is to a runner: a sampler of pairs, a table of them, views of examples, or images
of classes.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.transforms import Transform


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
        """Independent pairs x (size, dim_x) and y (size, dim_y), float32, on the generator's
        device.
        """
        ...


@runtime_checkable
class Rows(Protocol):
    """A finite table of pairs, split into training, validation and test rows by whoever reads
    it.
    """

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
        """Share of the rows that the estimate is read from, once; an integer is a number of rows,
        always the last ones.
        """
        ...

    @property
    def folds(self) -> int | None:
        """Folds, each of them once the test rows in place of the share `test`; None for a single
        split.
        """
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
    """Labelled examples of which two views are seen; who trains keeps the bytes on a device and
    asks for a batch's views.
    """

    @property
    def train_examples(self) -> Examples: ...

    @property
    def test_examples(self) -> Examples: ...

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What a model sees of the bytes x (..., dim_x), y (..., dim_y): float32 of these shapes,
        on their device.

        The generator, on that device too, draws the noise.
        """
        ...


@runtime_checkable
class Classified(Protocol):
    """Images of known classes; who trains keeps them on a device and asks for what a classifier
    sees of a batch.

    They are kept as bytes, or as float32 where seeing them takes longer than reading four times the
    memory.
    """

    @property
    def classes(self) -> int:
        """Labels that there are."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of what is seen of one image."""
        ...

    @property
    def train_images(self) -> Labelled: ...

    @property
    def validation_images(self) -> Labelled:
        """Training images held back to choose by, none of them where there are none."""
        ...

    @property
    def test_images(self) -> Labelled: ...

    def seen(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """What a classifier sees of images (N, *kept) on their device: (N, *shape) float32.

        The generator, on that device too, draws what changes from one sight of a training image to
        the next; held-out images have none, and are seen alike every time.
        """
        ...


@runtime_checkable
class Boxed(Classified, Protocol):
    """Images in which it is known where what they are named by stands."""

    @property
    def test_boxes(self) -> Tensor:
        """(N, 4) int64, in each test image: the first row and the first column that it fills, its
        height and its width.
        """
        ...


@runtime_checkable
class Disturbed(Classified, Protocol):
    """Images that show something beside what they are named by."""

    @property
    def test_nuisances(self) -> Tensor:
        """(N,) int64, what that is in each test image, from 0."""
        ...
