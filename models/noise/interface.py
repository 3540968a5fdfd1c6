"""Noise layers: layers of a model that tell no more of their input than they have to, and how much
that is.

B batch, C channels (of a linear layer its outputs).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, final

from torch import Tensor, nn

from infobound.models.noise.gaussian_noise import Noise


class Block(NamedTuple):
    """A layer of a model before it is decided what noise it has."""

    affine: Callable[[int], nn.Module]
    """Makes the affine map of so many output channels, the second axis."""
    outputs: int
    """Channels that are put out."""
    after: Callable[[], nn.Module]
    """Makes what follows the affine map where the noise asks for no other: normalisation and
    activation.
    """


class NoiseLayer(nn.Module, ABC):
    """x -> (z, rates): z (B, C, ...) and as many rates in nats, or None for noise whose rate is not
    known.

    Their sum bounds from above what z tells of x, up to a constant where its prior is improper.
    Noise is drawn where the layer's part `noise` is in training mode, whatever mode it is in
    itself; without it z is the middle of its distribution. Subclasses are final and are made of a
    Block.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noise = Noise(1.0)

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]: ...


Layers = Callable[[Block], NoiseLayer]


@final
class Noiseless(NoiseLayer):
    """The layer itself."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.layer = nn.Sequential(block.affine(block.outputs), block.after())

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.layer(x), None
