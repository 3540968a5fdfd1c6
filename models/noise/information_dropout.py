"""Information dropout: multiplicative log-normal noise whose strength is learned for each
activation.

B batch, C channels.
"""

from typing import Literal, final

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.noise.gaussian_bottleneck import wide
from infobound.models.noise.interface import Block, NoiseLayer

LEAST = 1e-3
"""Lower limit of the strength of the noise."""
LEAST_ACTIVATION = 1e-4
"""Lower limit of an activation whose logarithm is taken."""


class LogUniform(nn.Module):
    """The rate with the prior q(z) proportional to 1 / z, up to a constant: log(most / strength),
    which is 0 for the strongest noise.
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, activation: Tensor, strength: Tensor) -> Tensor:
        return -(strength / self.most).log()


class LogNormal(nn.Module):
    """The rate KL(N(log h, a^2), N(m, s^2)) of log z, for activations h and strengths a, with one
    learned m and s for all.

    It needs positive activations, such as those of a softplus; a ReLU gives zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(()))
        self.log_std = nn.Parameter(torch.zeros(()))

    def forward(self, activation: Tensor, strength: Tensor) -> Tensor:
        distance = activation.clamp_min(LEAST_ACTIVATION).log() - self.mean
        ratio = (strength.square() + distance.square()) * (-2 * self.log_std).exp()
        return (ratio - 1) / 2 + self.log_std - strength.log()


@final
class InformationDropout(NoiseLayer):
    """z = h e^(a n) with n ~ N(0, I), h activations of 0 or more and a = 0.001 + `max_alpha`
    sigmoid(affine x).

    The `prior` goes with the activation: log_uniform with a ReLU, log_normal with a softplus.

    Achille and Soatto 2018, https://arxiv.org/abs/1611.01353

    Raises ValueError unless `max_alpha` is positive.
    """

    def __init__(
        self, block: Block, *, prior: Literal["log_uniform", "log_normal"], max_alpha: float
    ) -> None:
        super().__init__()
        if not max_alpha > 0:
            raise SettingError(
                "max_alpha", "must be positive", max_alpha, "model/noise=none has no noise"
            )
        self.affine, self.after = block.affine(2 * block.outputs), block.after()
        self.max_alpha = max_alpha
        self.prior = LogNormal() if prior == "log_normal" else LogUniform(LEAST + max_alpha)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features, strength = self.affine(x).chunk(2, dim=1)
        activation, strength = (
            wide(self.after(features)),
            LEAST + self.max_alpha * wide(strength).sigmoid(),
        )
        z = (
            activation * (strength * self.noise.normal(strength)).exp()
            if self.noise.training
            else activation
        )
        return z, self.prior(activation, strength)
