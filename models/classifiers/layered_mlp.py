"""A classifier that returns the activations of all its layers.

B batch, C classes, D width of a layer.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.layers.initialisation import glorot
from infobound.models.layers.mlp import activation_layer
from infobound.models.noise.gaussian_noise import Noise


class LayeredMLP(nn.Module):
    """Rows (B, *shape) -> logits (B, C), and the activations of every layer, (B, D) each, with the
    probabilities last.

    T_l = activation(W T_(l-1) + b) + `noise` e with e ~ N(0, I) in training, as in the networks of
    Goldfeld et al. 2019, https://arxiv.org/abs/1810.05728. The returned activations are those
    before the layer's own noise. Weights are drawn by Glorot's rule.

    Raises ValueError for widths that are not positive, or noise that is negative.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        *,
        hidden: Sequence[int],
        activation: str,
        noise: float,
    ) -> None:
        super().__init__()
        if not hidden or any(width < 1 for width in hidden):
            raise SettingError("hidden", "must list at least one positive width", list(hidden))
        if not 0 <= noise < math.inf:
            raise SettingError("noise", "must be 0 or more and finite", noise)
        widths = [math.prod(shape), *hidden]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(before, after), activation_layer(activation))
            for before, after in zip(widths, hidden, strict=False)
        )
        self.decoder, self.std = nn.Linear(widths[-1], classes), noise
        self.noise = Noise(noise) if noise else nn.Identity()
        glorot(self, None)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x, made = x.flatten(1), list[Tensor]()
        for layer in self.layers:
            made.append(layer(x))
            x = self.noise(made[-1])
        logits = self.decoder(x)
        return logits, *made, torch.softmax(logits, dim=1)
