"""Stacked MNIST: random digits as the channels of an image, with one mode for each number that they
spell.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.datasets.images import mnist
from infobound.datasets.images.labelled import Labelled
from infobound.errors import SettingError
from infobound.reserved import Reserved

DIGITS = 10


@dataclass(frozen=True, eq=False)
class StackedMnist:
    """x has `channels` independently drawn digits, with pixels from -1 to 1; its mode and label is
    the number that they spell.

    Each device on which samples are drawn keeps a copy of the digits as bytes.

    Srivastava et al. 2017, https://arxiv.org/abs/1705.07761

    Raises ValueError unless `channels` is 1, 2 or 3, which gives 10, 100 or 1000 modes.
    """

    train: Labelled
    """Digits that sample() draws from."""
    test: Labelled
    """Digits that held_out() draws from."""
    channels: int
    placed: dict[tuple[str, torch.device], Labelled] = field(
        init=False, repr=False, default_factory=dict
    )
    """Copies on devices, by split and device."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 2, 3):
            raise SettingError(
                "channels", "must be 1, 2 or 3, the channels of an image", self.channels
            )

    @classmethod
    def read(cls, data_dir: Reserved[str], channels: int) -> "StackedMnist":
        """Read the digits in `data_dir`/mnist, which are downloaded once if they are missing."""
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
        """Probabilities (modes,) float64 of the training digits, which are not equally frequent."""
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
    """Convert bytes to float32 numbers from -1 to 1."""
    return images / 127.5 - 1


def mode(digits: Tensor) -> Tensor:
    """The numbers (N,) that digits (N, channels) spell."""
    powers = DIGITS ** torch.arange(digits.shape[1] - 1, -1, -1, device=digits.device)
    return (digits * powers).sum(dim=1)
