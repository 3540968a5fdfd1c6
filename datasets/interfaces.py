"""What a data set is to a runner: a sampler of pairs, a table of them, views of examples, images of classes, modes to cover,
labelled rows with pivots."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from datasets.images import Labelled
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


@runtime_checkable
class Classified(Protocol):
    """Images of known classes; who trains keeps them on a device and asks for what a classifier sees of a batch.

    They are kept as bytes, or as float32 where seeing them takes longer than reading four times the memory.
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

        The generator, on that device too, draws what changes from one sight of a training image to the next; held-out images
        have none, and are seen alike every time.
        """
        ...


@runtime_checkable
class Boxed(Classified, Protocol):
    """Images in which it is known where what they are named by stands."""

    @property
    def test_boxes(self) -> Tensor:
        """(N, 4) int64, in each test image: the first row and the first column that it fills, its height and its width."""
        ...


@runtime_checkable
class Disturbed(Classified, Protocol):
    """Images that show something beside what they are named by."""

    @property
    def test_nuisances(self) -> Tensor:
        """(N,) int64, what that is in each test image, from 0."""
        ...


class Recognised(NamedTuple):
    """Which mode each sample belongs to."""

    nearest: Tensor
    """(N,) int64, the mode that the sample is in or nearest to, one alone."""
    good: Tensor
    """(N,) bool, whether it is of high quality: within three standard deviations of that mode, for points."""


@runtime_checkable
class Modes(Protocol):
    """A distribution made of modes that can be told apart, sampled without end."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (2,) for points, (channels, height, width) for images from -1 to 1."""
        ...

    @property
    def classes(self) -> int:
        """Labels that there are, for a generator that is told one; 0 for none."""
        ...

    @property
    def shares(self) -> Tensor:
        """(modes,) float64, the probability of each mode."""
        ...

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Samples x (size, *shape) float32 and their labels (size,) int64, on the generator's device."""
        ...

    def held_out(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The same from what sample() never draws on; fresh ones where every sample is."""
        ...


@runtime_checkable
class Located(Modes, Protocol):
    """Modes that have a place, so that distance tells them apart."""

    def recognise(self, x: Tensor) -> Recognised:
        """What samples x (N, *shape) belong to, on their device."""
        ...


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
    """A table's parts; a feature that was missing and could not be filled before is filled from the training rows."""

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

    def sample(self, size: int, generator: torch.Generator, label: int | None = None) -> LabelledRows:
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
        """Its parts, drawn by a generator of the processor's unless they stand in files of their own."""
        ...
