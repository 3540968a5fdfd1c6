"""MNIST's digits as input of a classifier."""

from dataclasses import dataclass

from torch import Tensor

from infobound.datasets.images import mnist
from infobound.datasets.images.labelled import Labelled, held_back
from infobound.reserved import Reserved

DIGITS = 10


@dataclass(frozen=True, eq=False)
class MnistImages:
    """Digits with pixels from -1 to 1; the last `validation` training digits are held out.

    Raises ValueError unless `validation` leaves some for training.
    """

    train_images: Labelled
    validation_images: Labelled
    test_images: Labelled

    @classmethod
    def read(cls, data_dir: Reserved[str], validation: int) -> "MnistImages":
        """Read the digits in `data_dir`/mnist, which are downloaded once if they are missing."""
        train, test = mnist.read(data_dir)
        return cls(*held_back(train, validation), test)

    @property
    def classes(self) -> int:
        return DIGITS

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.train_images.images.shape[1:])

    def seen(self, images: Tensor, generator: object) -> Tensor:
        return images / 127.5 - 1
