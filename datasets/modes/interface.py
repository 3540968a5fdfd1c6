"""The interface of distributions with modes that a generator has to cover."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Recognised(NamedTuple):
    """The mode of each sample."""

    nearest: Tensor
    """(N,) int64, the nearest mode."""
    good: Tensor
    """(N,) bool, whether the sample is of high quality: for points, within three standard
    deviations of the mode.
    """


@runtime_checkable
class Modes(Protocol):
    """A distribution with distinguishable modes, from which any number of samples can be drawn."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sample: (2,) for points, (channels, height, width) for images from -1 to 1."""
        ...

    @property
    def classes(self) -> int:
        """The number of labels, for a conditional generator; 0 for none."""
        ...

    @property
    def shares(self) -> Tensor:
        """(modes,) float64, the probability of each mode."""
        ...

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw samples x (size, *shape) float32 and their labels (size,) int64, on the generator's
        device.
        """
        ...

    def held_out(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw from data that sample() never uses; fresh samples if all samples are fresh."""
        ...


@runtime_checkable
class Located(Modes, Protocol):
    """Modes with positions, so that a sample's mode is the nearest one."""

    def recognise(self, x: Tensor) -> Recognised:
        """Find the modes of samples x (N, *shape), on their device."""
        ...
