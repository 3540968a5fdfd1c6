"""Stacked MNIST: random digits as the channels of one image, a mode for every number that they
make.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.datasets.images import mnist
from infobound.datasets.images.labelled import Labelled
from infobound.errors import SettingError

DIGITS = 10


@dataclass(frozen=True, eq=False)
class StackedMnist:
    """x has `channels` digits drawn independently, pixels from -1 to 1; its mode and label is the
    number that they spell.

    The bytes are kept on every device that samples are asked for on, and are put together there.

    Srivastava et al. 2017, https://arxiv.org/abs/1705.07761

    Raises ValueError if `channels` is not 1, 2 or 3, which is 10, 100 or 1000 modes.
    """

    train: Labelled
    """Digits that sample() draws from."""
    test: Labelled
    """Digits that held_out() draws from."""
    channels: int
    placed: dict[tuple[str, torch.device], Labelled] = field(
        init=False, repr=False, default_factory=dict
    )
    """What has been copied to a device, by the split and the device."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 2, 3):
            raise SettingError("channels", "must be 1, 2 or 3, as an image's are", self.channels)

    @classmethod
    def read(cls, data_dir: str, channels: int) -> "StackedMnist":
        """Read the digits in `data_dir`/mnist, which are downloaded once where they are missing."""
        train, test = mnist.read(data_dir)
        return cls(train, test, channels)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, *self.train.images.shape[2:])

    @property
    def classes(self) -> int:
        return DIGITS**self.channels

    @property
    def shares(self) -> Tensor:
        """(modes,) float64 of the training digits, some of which are more frequent than others."""
        digits = torch.bincount(self.train.labels, minlength=DIGITS).double() / len(
            self.train.labels
        )
        shares = torch.ones(1, dtype=torch.float64)
        for _ in range(self.channels):
            shares = torch.outer(shares, digits).flatten()
        return shares

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self._stacked("train", size, generator)

    def held_out(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self._stacked("test", size, generator)

    def _stacked(self, split: str, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self._on(generator.device, split)
        drawn = torch.randint(
            len(labels), (size, self.channels), generator=generator, device=generator.device
        )
        return pixels(images[drawn].flatten(1, 2)), mode(labels[drawn])

    def _on(self, device: torch.device, split: str) -> Labelled:
        if (split, device) not in self.placed:
            images, labels = self.train if split == "train" else self.test
            self.placed[split, device] = Labelled(images.to(device), labels.to(device))
        return self.placed[split, device]


def pixels(images: Tensor) -> Tensor:
    """Bytes as float32 numbers from -1 to 1."""
    return images / 127.5 - 1


def mode(digits: Tensor) -> Tensor:
    """(N,) the number that digits (N, channels) spell."""
    powers = DIGITS ** torch.arange(digits.shape[1] - 1, -1, -1, device=digits.device)
    return (digits * powers).sum(dim=1)
