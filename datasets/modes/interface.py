"""What a data set of modes to cover is to a runner."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Recognised(NamedTuple):
    """Which mode each sample belongs to."""

    nearest: Tensor
    """(N,) int64, the mode that the sample is in or nearest to, one alone."""
    good: Tensor
    """(N,) bool, whether it is of high quality: within three standard deviations of that mode, for
    points.
    """


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
        """Samples x (size, *shape) float32 and their labels (size,) int64, on the generator's
        device.
        """
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
