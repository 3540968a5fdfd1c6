"""Multilayer perceptrons, the block that critics and encoders are made of."""

from collections.abc import Sequence

from torch import nn


def activation_layer(name: str) -> nn.Module:
    """The activation called `name` in torch.nn, such as ReLU, ELU, SiLU or Tanh.

    Raises ValueError if torch.nn has no such activation.
    """
    refusal = f"activation must be the name of a torch.nn activation such as ReLU, ELU or SiLU, got {name}"
    if name not in nn.modules.activation.__all__:
        raise ValueError(refusal)
    try:
        return getattr(nn.modules.activation, name)()
    except TypeError as error:  # Threshold and attention cannot be made from a name alone
        raise ValueError(refusal) from error


def mlp(inputs: int, hidden: Sequence[int], outputs: int, activation: str) -> nn.Sequential:
    """Linear layers of widths inputs, *hidden, outputs with the activation between them: (..., inputs) -> (..., outputs).

    Raises ValueError if a hidden width is not positive.
    """
    if any(width < 1 for width in hidden):
        raise ValueError(f"hidden must list positive widths, got {list(hidden)}")
    widths = [inputs, *hidden]
    layers: list[nn.Module] = []
    for before, after in zip(widths, hidden, strict=False):
        layers += [nn.Linear(before, after), activation_layer(activation)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))
