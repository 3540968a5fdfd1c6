"""Initial weights that differ from PyTorch's default. Without a generator they come from PyTorch's
global one.
"""

from typing import TypeVar

import torch
from torch import nn

from infobound.errors import SettingError

Network = TypeVar("Network", bound=nn.Module)


def glorot(network: Network, generator: torch.Generator | None) -> Network:
    """Draw linear and convolutional weights from U(-a, a) with a^2 = 6 / (fan in + fan out), set
    biases to 0, and return the network.

    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            _without_bias(layer)
    return network


def glorot_critic(critic: Network, spectral_norm: bool) -> Network:
    """Draw the critic's weights by Glorot's rule, from PyTorch's global generator, and return the
    critic.

    Raises ValueError with `spectral_norm`, under which the size of a weight has no effect.
    """
    if spectral_norm:
        raise SettingError(
            "glorot",
            "must be false with spectral_norm, which divides all weights by their size",
            "true",
        )
    return glorot(critic, None)


def near_zero(network: Network, deviation: float, generator: torch.Generator | None) -> Network:
    """Draw linear and convolutional weights from N(0, deviation^2), truncated at two deviations,
    set biases to 0, and return the network.

    Raises ValueError unless the deviation is positive.
    """
    if not deviation > 0:
        raise SettingError("deviation", "must be positive", deviation)
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.trunc_normal_(
                layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation, generator=generator
            )
            _without_bias(layer)
    return network


def _without_bias(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> None:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
