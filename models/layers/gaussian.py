"""The normal density, in unconstrained parameters that a network can give, and mixtures of normals.

C points, D features, M components.
"""

import math

import torch
from torch import Tensor, nn

from infobound.errors import SettingError


def log_normal(residual: Tensor, log_variance: Tensor, lower: Tensor | None) -> Tensor:
    """log N(y; m, S) of residuals y - m (..., C, D), nats: (..., C).

    The precision is S^-1 = (I + L)' diag(1 / v) (I + L), with log v (..., D) and a strictly lower
    triangular L (..., D, D). If `lower` is None, L = 0 and v are the variances.
    """
    if lower is not None:
        residual = residual + residual @ lower.mT
    square = (residual * torch.exp(-log_variance / 2).unsqueeze(-2)).square().sum(-1)
    log_determinant = log_variance.sum(-1, keepdim=True)
    return -(square + log_determinant + residual.shape[-1] * math.log(2 * math.pi)) / 2


class GaussianMixture(nn.Module):
    """log r(y) of a learned mixture of normals with full covariances, (B, D) -> (B,) nats.

    Each component starts with the covariance of the rows y (N, D) and is centred at one of them; a
    single component is centred at their mean.

    Raises ValueError if there are no components, or more components than rows.
    """

    def __init__(self, y: Tensor, components: int) -> None:
        super().__init__()
        if not 1 <= components <= len(y):
            raise SettingError(
                "components", f"must be at least 1 and at most the {len(y)} rows seen", components
            )
        centres = (
            y.mean(0, keepdim=True) if components == 1 else y[torch.randperm(len(y))[:components]]
        )
        variance = y.var(0, unbiased=False).clamp_min(1e-6)
        self.mean = nn.Parameter(centres.clone())
        self.log_variance = nn.Parameter(variance.log().repeat(components, 1))
        self.lower = nn.Parameter(y.new_zeros(components, y.shape[1], y.shape[1]))
        self.log_weight = nn.Parameter(y.new_zeros(components))

    def forward(self, y: Tensor) -> Tensor:
        each = log_normal(y - self.mean.unsqueeze(1), self.log_variance, self.lower.tril(-1))
        return torch.logsumexp(each + self.log_weight.log_softmax(0).unsqueeze(-1), dim=0)
