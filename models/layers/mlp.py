"""Multilayer perceptrons, from which critics and encoders are built."""

from collections.abc import Sequence

from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from infobound.errors import SettingError
from infobound.models.layers.spectral_norm import SpectralNorm
from infobound.models.noise.gaussian_noise import noise_before


def activation_layer(name: str) -> nn.Module:
    """The activation called `name` in torch.nn, such as ReLU, ELU, SiLU or Tanh.

    Raises ValueError if torch.nn has no such activation.
    """
    refusal = SettingError(
        "activation", "must be the name of a torch.nn activation such as ReLU, ELU or SiLU", name
    )
    if name not in nn.modules.activation.__all__:
        raise refusal
    try:
        return getattr(nn.modules.activation, name)()
    except TypeError as error:  # Threshold and attention need more than a name
        raise refusal from error


def linear(inputs: int, outputs: int, spectral_norm: bool) -> nn.Linear:
    """A linear layer; `spectral_norm` divides its weight by its largest singular value."""
    layer = nn.Linear(inputs, outputs)
    if spectral_norm:
        register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer


def hidden_block(width: int, activation: str, layer_norm: bool) -> list[nn.Module]:
    """The modules after the linear part of a hidden layer."""
    return [*([nn.LayerNorm(width)] if layer_norm else []), activation_layer(activation)]


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    activation: str,
    *,
    layer_norm: bool = False,
    spectral_norm: bool = False,
    noise: Sequence[float] = (),
) -> nn.Sequential:
    """Linear layers of widths inputs, *hidden, outputs with the activation between them: (...,
    inputs) -> (..., outputs).

    `layer_norm` normalises hidden layers before their activation, `spectral_norm` normalises all
    weights. `noise` lists the standard deviations of the noise added before each linear layer in
    training.

    Raises ValueError if a hidden width is not positive, or `noise` does not fit the layers.
    """
    if any(width < 1 for width in hidden):
        raise SettingError("hidden", "must list positive widths", list(hidden))
    widths = [inputs, *hidden]
    *before_hidden, before_last = noise_before(len(widths), noise)
    layers: list[nn.Module] = []
    for noisy, before, after in zip(before_hidden, widths, hidden, strict=False):
        layers += [
            *noisy,
            linear(before, after, spectral_norm),
            *hidden_block(after, activation, layer_norm),
        ]
    return nn.Sequential(*layers, *before_last, linear(widths[-1], outputs, spectral_norm))
