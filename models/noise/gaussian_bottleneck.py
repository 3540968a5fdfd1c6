"""The variational information bottleneck: a code with Gaussian noise and its rate.

B batch, D numbers in a code.
"""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from infobound.models.noise.interface import Block, NoiseLayer


def gaussian_rate(mean: Tensor, std: Tensor) -> Tensor:
    """KL(N(mean, std^2), N(0, 1)) in nats, elementwise."""
    return (mean.square() + std.square() - 1) / 2 - std.log()


@final
class GaussianBottleneck(NoiseLayer):
    """z = m + s e with e ~ N(0, I), m and softplus^-1(s) - `shift` affine in x; the rate is KL(N(m,
    s^2), N(0, I)).

    Alemi et al. 2017, https://arxiv.org/abs/1612.00410
    """

    def __init__(self, block: Block, *, shift: float) -> None:
        super().__init__()
        self.affine = block.affine(2 * block.outputs)
        self.shift = shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = wide(self.affine(x)).chunk(2, dim=1)
        std = F.softplus(spread + self.shift).clamp_min(torch.finfo(spread.dtype).tiny)
        z = mean + std * self.noise.normal(mean) if self.noise.training else mean
        return z, gaussian_rate(mean, std)


def wide(x: Tensor) -> Tensor:
    """Convert to at least single precision, for sums of many terms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
