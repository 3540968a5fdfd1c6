"""Multilayer perceptrons as generator, discriminator and encoder, for samples of any shape."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.adversaries.interface import Shape
from infobound.models.layers.initialisation import glorot


class Generator(nn.Sequential):
    """Generates samples (B, *shape) from codes (B, inputs); the last layer is linear."""

    def __init__(
        self, inputs: int, shape: Shape, *, hidden: Sequence[int], slope: float, batch_norm: bool
    ) -> None:
        layers = _layers(inputs, hidden, math.prod(shape), slope, batch_norm)
        super().__init__(*layers, nn.Unflatten(1, tuple(shape)))
        glorot(self, None)


class Encoder(nn.Sequential):
    """Encodes samples (B, *shape) as (B, outputs); the last layer is linear."""

    def __init__(
        self, shape: Shape, outputs: int, *, hidden: Sequence[int], slope: float, batch_norm: bool
    ) -> None:
        super().__init__(
            nn.Flatten(), *_layers(math.prod(shape), hidden, outputs, slope, batch_norm)
        )
        glorot(self, None)


class Discriminator(nn.Module):
    """Scores (B,) samples (B, *shape), with their codes (B, beside) if there are any."""

    def __init__(self, shape: Shape, beside: int, *, hidden: Sequence[int], slope: float) -> None:
        super().__init__()
        self.network = glorot(_layers(math.prod(shape) + beside, hidden, 1, slope, False), None)

    def forward(self, x: Tensor, *codes: Tensor) -> Tensor:
        return self.network(torch.cat([x.flatten(1), *codes], dim=1)).squeeze(1)


def _layers(
    inputs: int, hidden: Sequence[int], outputs: int, slope: float, batch_norm: bool
) -> nn.Sequential:
    """Linear layers with leaky ReLUs of this negative `slope` between them, and optional batch
    normalisation before these.

    Raises ValueError for a width that is not positive.
    """
    if not hidden or min(hidden) < 1:
        raise SettingError("hidden", "must list at least one positive width", list(hidden))
    widths = [inputs, *hidden]
    layers: list[nn.Module] = []
    for before, after in zip(widths, hidden, strict=False):
        normalised = [nn.BatchNorm1d(after)] if batch_norm else []
        layers += [nn.Linear(before, after), *normalised, rectifier(slope)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


def rectifier(slope: float) -> nn.Module:
    """A leaky ReLU of this negative slope; for slope 0 a ReLU, which is faster.

    Raises ValueError for a slope outside 0..1.
    """
    if not 0 <= slope < 1:
        raise SettingError("slope", "must be at least 0, which gives ReLUs, and below 1", slope)
    return nn.LeakyReLU(slope) if slope else nn.ReLU()
