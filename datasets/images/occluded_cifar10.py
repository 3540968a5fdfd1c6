"""CIFAR-10's photographs, each occluded by a digit that is irrelevant to its class.

B batch, M digits.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from infobound.datasets.images import cifar10, mnist
from infobound.datasets.images.cifar10_images import CLASSES, normalised
from infobound.datasets.images.labelled import Images, Labelled, held_back
from infobound.reserved import Reserved

CHUNK = 1000
"""Number of images of a fixed set that are made at a time."""


class Occluded(NamedTuple):
    """Photographs with digits on them."""

    images: Tensor
    """(B, 3, height, width) uint8"""
    digits: Tensor
    """(B,) int64, the class of the digit."""


def occluded(photographs: Tensor, digits: Labelled, generator: torch.Generator) -> Occluded:
    """Occlude photographs (B, 3, height, width) with white digits drawn from (M, 1, side, side) and
    placed at random.

    A digit replaces the share of a pixel that its ink covers. All images are uint8.
    """
    size, side, device = photographs.shape[-1], digits.images.shape[-1], photographs.device
    drawn = torch.randint(
        len(digits.labels), (len(photographs),), generator=generator, device=device
    )
    corners = torch.randint(
        size - side + 1, (len(photographs), 2, 1), generator=generator, device=device
    )
    rows, columns = (corners + torch.arange(side, device=device)).unbind(1)
    ink = photographs.new_zeros(len(photographs), size, size)
    ink[
        torch.arange(len(photographs), device=device)[:, None, None],
        rows[:, :, None],
        columns[:, None],
    ] = digits.images[drawn, 0]
    share = ink[:, None].float() / 255
    seen = photographs * (1 - share) + 255 * share
    return Occluded(seen.round().byte(), digits.labels[drawn])


@dataclass(frozen=True, eq=False)
class OccludedCifar10:
    """Photographs occluded by digits, each image normalised to mean 0 and standard deviation 1; the
    last `validation` training photographs are held out.

    With `fresh`, a training image is made anew each time it is seen; otherwise all images are made
    once, as held-out images always are. Images made once depend only on `seed`. Test photographs
    are occluded by test digits.

    Achille and Soatto 2018, section 5, https://arxiv.org/abs/1611.01353

    Raises ValueError unless `validation` leaves some for training.
    """

    photographs: Images = field(repr=False)
    digits: Images = field(repr=False)
    validation: int
    fresh: bool
    seed: int
    _pools: dict[torch.device, Labelled] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        held_back(self.photographs.train, self.validation)

    @classmethod
    def read(
        cls, data_dir: Reserved[str], validation: int, fresh: bool, seed: int
    ) -> "OccludedCifar10":
        """Read `data_dir`/cifar-10-batches-py and `data_dir`/mnist."""
        return cls(cifar10.read(data_dir), mnist.read(data_dir), validation, fresh, seed)

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.photographs.train.images.shape[1:])

    @property
    def train_images(self) -> Labelled:
        return self._own if self.fresh else self._once[2][0]

    @property
    def validation_images(self) -> Labelled:
        return self._once[1][0]

    @property
    def test_images(self) -> Labelled:
        return self._once[0][0]

    @property
    def test_nuisances(self) -> Tensor:
        return self._once[0][1]

    def seen(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.fresh and generator is not None:
            images, _ = occluded(images, self._pool(images.device), generator)
        return normalised(images.flatten(1).float()).view(images.shape)

    @property
    def _own(self) -> Labelled:
        """The training photographs."""
        return held_back(self.photographs.train, self.validation)[0]

    @cached_property
    def _once(self) -> list[tuple[Labelled, Tensor]]:
        """The test and validation images, and unless `fresh` the training images, with their
        digits.
        """
        source, (train, test) = torch.Generator().manual_seed(self.seed), self.digits
        sets = [
            (self.photographs.test, test),
            (held_back(self.photographs.train, self.validation)[1], train),
        ]
        sets += [] if self.fresh else [(self._own, train)]
        return [_made(part, digits, source) for part, digits in sets]

    def _pool(self, device: torch.device) -> Labelled:
        """The digits that occlude training photographs."""
        if device not in self._pools:
            self._pools[device] = Labelled(*(part.to(device) for part in self.digits.train))
        return self._pools[device]


def _made(
    photographs: Labelled, digits: Labelled, source: torch.Generator
) -> tuple[Labelled, Tensor]:
    parts = [occluded(part, digits, source) for part in photographs.images.split(CHUNK)]
    images, shown = (torch.cat(each) for each in zip(*parts, strict=True))
    return Labelled(images, photographs.labels), shown
