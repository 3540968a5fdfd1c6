"""Baselines log a(x) for TUBA and its interpolations, one number for each row.

B batch, D features.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infobound.models.layers.mlp import mlp


class ConstantBaseline(nn.Module):
    """log a(x) = c, with c learned and initially 0."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(()))

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        return self.constant.expand(len(x))


class MLPBaseline(nn.Module):
    """log a(x) = network(x), a learned baseline. Poole et al. 2019,
    https://arxiv.org/abs/1905.06922
    """

    def __init__(
        self, dim: int, *, hidden: Sequence[int] = (512, 512), activation: str = "ReLU"
    ) -> None:
        super().__init__()
        self.network = mlp(dim, hidden, 1, activation)

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        return self.network(x).squeeze(-1).to(x.dtype)


class GaussianBaseline(nn.Module):
    """log a(x) = log N(x; m, diag(v)), with m and log v learned and initially 0; for critics that
    are log q(x | y).

    Poole et al. 2019, https://arxiv.org/abs/1905.06922
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(dim))
        self.log_variance = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        square = (x - self.mean).square() * torch.exp(-self.log_variance)
        return -(square + self.log_variance + math.log(2 * math.pi)).sum(-1) / 2
