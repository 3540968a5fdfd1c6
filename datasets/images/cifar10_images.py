"""CIFAR-10's photographs as input of a classifier: normalised one by one, and whitened."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from infobound.datasets.images import cifar10
from infobound.datasets.images.labelled import Images, Labelled, held_back
from infobound.datasets.images.whitening import kept_whitening
from infobound.reserved import Reserved

CLASSES = 10


@dataclass(frozen=True, eq=False)
class Cifar10Images:
    """Photographs, each normalised to mean 0 and standard deviation 1; `whiten` applies the ZCA of
    all training photographs.

    The whitened photographs are stored, because whitening costs as much as a layer. The matrix is
    cached in the folder `cache`. The last `validation` training photographs are held out.

    Raises ValueError unless `validation` leaves some for training.
    """

    photographs: Images = field(repr=False)
    validation: int
    whiten: bool
    cache: str

    def __post_init__(self) -> None:
        held_back(self.photographs.train, self.validation)

    @classmethod
    def read(
        cls, data_dir: Reserved[str], validation: int, whiten: bool, cache: Reserved[str]
    ) -> "Cifar10Images":
        """Read `data_dir`/cifar-10-batches-py, which is downloaded once if it is missing."""
        return cls(cifar10.read(data_dir), validation, whiten, cache)

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.photographs.train.images.shape[1:])

    @property
    def train_images(self) -> Labelled:
        return held_back(self._prepared.train, self.validation)[0]

    @property
    def validation_images(self) -> Labelled:
        return held_back(self._prepared.train, self.validation)[1]

    @property
    def test_images(self) -> Labelled:
        return self._prepared.test

    def seen(self, images: Tensor, generator: object) -> Tensor:
        return images

    @cached_property
    def _prepared(self) -> Images:
        train, test = (normalised(part.images.flatten(1).float()) for part in self.photographs)
        if self.whiten:
            whitening = kept_whitening(train, Path(self.cache))
            train, test = whitening(train), whitening(test)
        rows = zip((train, test), self.photographs, strict=True)
        return Images(*(Labelled(x.unflatten(1, self.shape), part.labels) for x, part in rows))


def normalised(x: Tensor) -> Tensor:
    """Normalise each row (N, D) to mean 0 and standard deviation 1; blank rows become 0."""
    std = x.std(dim=1, keepdim=True)
    return (x - x.mean(dim=1, keepdim=True)) / torch.where(std > 0, std, 1)
