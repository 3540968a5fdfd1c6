"""Noise layers: layers that limit the information about their input, and their rates.

B batch, C channels (the outputs of a linear layer).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, final

from torch import Tensor, nn

from infobound.models.noise.gaussian_noise import Noise


class Block(NamedTuple):
    """The parts of a layer to which a noise layer adds its noise."""

    affine: Callable[[int], nn.Module]
    """Creates the affine map for a number of output channels, the second axis."""
    outputs: int
    """Number of output channels."""
    after: Callable[[], nn.Module]
    """Creates the normalisation and activation after the affine map, if the noise layer does not
    bring its own.
    """


class NoiseLayer(nn.Module, ABC):
    """x -> (z, rates): z (B, C, ...) and rates of the same shape in nats, or None if the rate is
    unknown.

    The sum of the rates is an upper bound of I(X; Z), up to a constant if the prior is improper.
    Noise is drawn while the submodule `noise` is in training mode, regardless of the layer's own
    mode; otherwise z is the centre of its distribution. Subclasses are final and take a Block.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noise = Noise(1.0)

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]: ...


Layers = Callable[[Block], NoiseLayer]


@final
class Noiseless(NoiseLayer):
    """The layer itself, without noise."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.layer = nn.Sequential(block.affine(block.outputs), block.after())

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.layer(x), None
