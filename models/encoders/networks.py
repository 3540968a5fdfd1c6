"""Encoders: networks that turn a view into its representation.

Each takes its number of inputs, and draws its weights from a generator, by default PyTorch's global
one: (B, inputs) -> (B, outputs).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics.convolutional import Shape, check_channels, halving, image_of
from infobound.models.layers.initialisation import glorot, near_zero
from infobound.models.layers.mlp import activation_layer, mlp


@runtime_checkable
class Invertible(Protocol):
    """An encoder whose input can be computed from its output."""

    def inverse(self, z: Tensor) -> Tensor:
        """The x (B, inputs) whose representation is z (B, inputs)."""
        ...


class Identity(nn.Module):
    """Returns the view itself."""

    def __init__(self, inputs: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x

    def inverse(self, z: Tensor) -> Tensor:
        return z


class MLP(nn.Sequential):
    """Linear layers of widths inputs, *hidden, outputs with the activation between them, and
    weights drawn by Glorot's rule.

    PyTorch's default weights are smaller and train more slowly: after 1,000 steps of InfoNCE on
    MNIST's halves, a linear probe of the representation classifies .80 of the digits correctly
    instead of .85.

    Raises ValueError for widths that are not positive.
    """

    def __init__(
        self,
        inputs: int,
        generator: torch.Generator | None = None,
        *,
        hidden: Sequence[int],
        outputs: int,
        activation: str,
    ) -> None:
        _check_outputs(outputs)
        super().__init__(*mlp(inputs, hidden, outputs, activation))
        glorot(self, generator)


class ConvNet(nn.Sequential):
    """5 x 5 convolutions of stride 2, layer normalisation, the average over all places, and one
    linear layer.

    Weights are drawn by Glorot's rule. Each image is normalised over channels and places together,
    with a gain and a bias for every channel. Ba et al. 2016, https://arxiv.org/abs/1607.06450;
    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625

    Raises ValueError unless an image of `shape` (channels, height, width) has as many numbers as
    there are inputs, and all widths are positive.
    """

    def __init__(
        self,
        inputs: int,
        generator: torch.Generator | None = None,
        *,
        shape: Shape,
        channels: Sequence[int],
        outputs: int,
        activation: str,
    ) -> None:
        check_channels(channels)
        _check_outputs(outputs)
        layers = [[layer, activation_layer(activation)] for layer in halving(shape[0], channels)]
        super().__init__(
            image_of("shape", shape, inputs),
            *(layer for pair in layers for layer in pair),
            nn.GroupNorm(1, channels[-1]),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels[-1], outputs),
        )
        glorot(self, generator)


class Residual(nn.Module):
    """Computes x + block(x)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class ResidualMLP(nn.Sequential):
    """A stack of `layers` square layers x <- x + activation(W x + b), the last without activation;
    it starts near the identity.

    Weights are drawn from N(0, deviation^2), truncated at two deviations. Training may make it
    non-invertible. Tschannen et al. 2020, https://arxiv.org/abs/1907.13625

    Raises ValueError unless `layers` and `deviation` are positive.
    """

    def __init__(
        self,
        inputs: int,
        generator: torch.Generator | None = None,
        *,
        layers: int,
        activation: str,
        deviation: float,
    ) -> None:
        if layers < 1:
            raise SettingError("layers", "must be a positive integer", layers)
        blocks = [
            nn.Sequential(nn.Linear(inputs, inputs), activation_layer(activation))
            for _ in range(layers - 1)
        ]
        super().__init__(*map(Residual, [*blocks, nn.Linear(inputs, inputs)]))
        near_zero(self, deviation, generator)


def _check_outputs(outputs: int) -> None:
    if outputs < 1:
        raise SettingError("outputs", "must be a positive integer", outputs)
