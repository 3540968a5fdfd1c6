"""A multilayer perceptron for rows of features."""

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from infobound.errors import SettingError
from infobound.models.layers.initialisation import glorot as by_glorot
from infobound.models.layers.mlp import activation_layer, linear

Normalised = Literal["none", "layer", "batch"]
NORMALISATIONS: dict[Normalised, Callable[[int], list[nn.Module]]] = {
    "none": lambda width: [],
    "layer": lambda width: [nn.LayerNorm(width)],
    "batch": lambda width: [nn.BatchNorm1d(width)],
}


class TabularMLP(nn.Sequential):
    """Linear layers of widths inputs, *hidden, outputs: rows (B, inputs) -> (B, outputs).

    `activation` is one name for all hidden layers, or one for each; `normalise` normalises its
    output. `spectral_norm` divides all weights by their largest singular value; `glorot` draws
    weights by Glorot's rule.

    Raises ValueError for widths that are not positive, and if the number of activations is not that
    of hidden layers.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: Sequence[int],
        activation: str | Sequence[str],
        normalise: Normalised,
        spectral_norm: bool,
        glorot: bool,
    ) -> None:
        if any(width < 1 for width in hidden):
            raise SettingError("hidden", "must list positive widths", list(hidden))
        names = [activation] * len(hidden) if isinstance(activation, str) else activation
        if len(names) != len(hidden):
            raise SettingError(
                "activation",
                f"must be one for all, or one for each of {len(hidden)} hidden layers",
                len(names),
            )
        layers: list[nn.Module] = []
        for before, after, name in zip([inputs, *hidden], hidden, names, strict=False):
            layers += [
                linear(before, after, spectral_norm),
                activation_layer(name),
                *NORMALISATIONS[normalise](after),
            ]
        super().__init__(*layers, linear([inputs, *hidden][-1], outputs, spectral_norm))
        if glorot and spectral_norm:
            raise SettingError(
                "glorot",
                "must be false with spectral_norm, which divides all weights by their size",
                "true",
            )
        if glorot:
            by_glorot(self, None)
