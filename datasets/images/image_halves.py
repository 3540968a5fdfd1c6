"""Images as pairs of views: their top half and their bottom half."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from infobound.datasets.images import cifar10, mnist
from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import About, Examples
from infobound.datasets.transforms import Transform
from infobound.errors import SettingError
from infobound.reserved import Reserved


@dataclass(frozen=True, eq=False)
class ImageHalves:
    """Top halves x and bottom halves y of images, flattened from (channels, height / 2, width),
    with pixels from 0 to 1.

    `noise` is the standard deviation of the noise added to every pixel each time it is seen; with
    `shared_noise`, x and y get the same noise.

    As a finite table, the images have noise drawn once from `seed`; the test rows are the official
    test images, and the share `validation` of all rows decides when to stop.

    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625

    Raises ValueError if `noise` is negative, or `validation` leaves no training images.
    """

    train_examples: Examples
    test_examples: Examples
    noise: float
    shared_noise: bool
    validation: float
    transform: Transform
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.noise < math.inf:
            raise SettingError("noise", "must be a standard deviation of 0 or more", self.noise)
        training = len(self.train_examples.x)
        if not 0 < self.validation < training / (training + self.test):
            raise SettingError(
                "validation",
                f"must be a positive share of all {training + self.test} images that leaves"
                f" some of the {training} training images",
                self.validation,
            )
        if self.transform not in get_args(Transform):
            raise SettingError(
                "transform", f"must be one of {', '.join(get_args(Transform))}", self.transform
            )

    @classmethod
    def mnist(
        cls,
        data_dir: Reserved[str],
        noise: float,
        shared_noise: bool,
        validation: float,
        transform: Transform,
        seed: int,
    ) -> "ImageHalves":
        """Read the halves of MNIST's images, 392 numbers each, from `data_dir`/mnist."""
        train, test = map(halves, mnist.read(data_dir))
        return cls(train, test, noise, shared_noise, validation, transform, seed)

    @classmethod
    def cifar10(
        cls,
        data_dir: Reserved[str],
        noise: float,
        shared_noise: bool,
        validation: float,
        transform: Transform,
        seed: int,
    ) -> "ImageHalves":
        """Read the halves of CIFAR-10's images, 1536 numbers each, from
        `data_dir`/cifar-10-batches-py.
        """
        train, test = map(halves, cifar10.read(data_dir))
        return cls(train, test, noise, shared_noise, validation, transform, seed)

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Convert x and y to numbers from 0 to 1 and add noise."""
        x, y = x / 255, y / 255
        if self.noise == 0:
            return x, y
        noise_x = self._noise(x, generator)
        return x + noise_x, y + (noise_x if self.shared_noise else self._noise(y, generator))

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return self.noise * torch.randn(like.shape, generator=generator, device=like.device)

    @property
    def x(self) -> Tensor:
        return self._table[0]

    @property
    def y(self) -> Tensor:
        return self._table[1]

    @property
    def test(self) -> int:
        """The number of test images, which are the last rows of the table."""
        return len(self.test_examples.x)

    @property
    def folds(self) -> None:
        return None

    @property
    def about(self) -> About:
        return About()

    @property
    def mutual_information(self) -> None:
        return None

    @cached_property
    def _table(self) -> tuple[Tensor, Tensor]:
        """All training and all test images, x and y (N, dim)."""
        x, y = (
            torch.cat(parts)
            for parts in zip(self.train_examples[:2], self.test_examples[:2], strict=True)
        )
        return self.seen(x, y, torch.Generator().manual_seed(self.seed))


def halves(of: Labelled) -> Examples:
    """Return the flattened top and bottom halves of images (N, C, H, W).

    Raises ValueError if their height is odd.
    """
    height = of.images.shape[2]
    if height % 2:
        raise ValueError(f"images must have an even height to have halves, got {height}")
    top, bottom = (each.flatten(1) for each in of.images.split(height // 2, dim=2))
    return Examples(top, bottom, of.labels)
