"""A multilayer perceptron as an image classifier."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.classifiers.interface import Classifier
from infobound.models.layers.initialisation import glorot
from infobound.models.layers.mlp import activation_layer
from infobound.models.noise.gaussian_noise import Noise
from infobound.models.noise.interface import Block, Layers


class Propagated(nn.Module):
    """Rows (B, D) -> (B, D + count): appends `count` numbers from N(0, 1), or zeros in
    evaluation.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.noise, self.count = Noise(1.0), count

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.noise(x.new_zeros(len(x), self.count))], dim=1)


class MLPClassifier(Classifier):
    """Hidden layers of the widths `hidden`, a `noise` layer of `bottleneck` numbers, and a linear
    decoder.

    `additive` is the standard deviation of the noise added to the pixels, `propagated` the number
    of additional noise inputs. Weights are drawn by Glorot's rule.

    Alemi et al. 2017, https://arxiv.org/abs/1612.00410; Belghazi et al. 2018,
    https://arxiv.org/abs/1801.04062

    Raises ValueError for values out of range.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        *,
        hidden: Sequence[int],
        bottleneck: int,
        activation: str,
        additive: float,
        propagated: int,
        noise: Layers,
    ) -> None:
        if any(width < 1 for width in hidden):
            raise SettingError("hidden", "must list positive widths", list(hidden))
        for name, value, least in (
            ("bottleneck", bottleneck, 1),
            ("additive", additive, 0),
            ("propagated", propagated, 0),
        ):
            if not value >= least:
                raise SettingError(name, f"must be {least} or more", value)
        widths = [math.prod(shape) + propagated, *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        layers += [Noise(additive)] if additive else []
        layers += [Propagated(propagated)] if propagated else []
        for before, after in zip(widths, hidden, strict=False):
            layers += [nn.Linear(before, after), activation_layer(activation)]
        block = Block(
            lambda outputs: nn.Linear(widths[-1], outputs),
            bottleneck,
            lambda: activation_layer(activation),
        )
        super().__init__([*layers, noise(block)], nn.Linear(bottleneck, classes))
        glorot(self, None)
