"""Bounds on mutual information, pure functions from scores to nats, in log space throughout.

B batch, K product samples a row; scores are joint (B,) and product (B, K), a bound is a differentiable scalar ().
T is the critic, E_J and E_M are means over joint and product samples.
"""

import math

import torch
from torch import Tensor

from models.scores import Scores


def log_mean_exp(values: Tensor) -> Tensor:
    """log mean exp over all entries, without an exp of a raw value: any shape -> ()."""
    return torch.logsumexp(values, dim=tuple(range(values.dim()))) - math.log(values.numel())


def dv(scores: Scores) -> Tensor:
    """Donsker-Varadhan lower bound, E_J[T] - log E_M[exp T], nats.

    Donsker and Varadhan 1983; Belghazi et al. 2018, https://arxiv.org/abs/1801.04062
    """
    return scores.joint.mean() - log_mean_exp(scores.product)


def nwj(scores: Scores) -> Tensor:
    """Nguyen-Wainwright-Jordan lower bound, E_J[T] - E_M[exp(T - 1)], nats; tight at T = 1 + log ratio.

    Nguyen et al. 2010, https://arxiv.org/abs/0809.0853
    """
    return scores.joint.mean() - torch.exp(log_mean_exp(scores.product) - 1)


def infonce(scores: Scores) -> Tensor:
    """InfoNCE lower bound, E_J[T_i0 - log mean_k exp T_ik] over the joint and the K product scores of a row, nats.

    It cannot exceed log(K + 1). van den Oord et al. 2018, https://arxiv.org/abs/1807.03748
    """
    rows = torch.cat([scores.joint.unsqueeze(-1), scores.product], dim=-1)
    return rows.log_softmax(dim=-1)[:, 0].mean() + math.log(rows.shape[-1])


def mine(scores: Scores, log_average: Tensor) -> Tensor:
    """A surrogate whose gradient is MINE's, E_J[grad T] - E_M[exp(T) grad T] / average; its own value means nothing.

    `log_average` () is the logarithm of the moving average of E_M[exp T]. Belghazi et al. 2018, section 3.2,
    https://arxiv.org/abs/1801.04062
    """
    return scores.joint.mean() - torch.exp(log_mean_exp(scores.product) - log_average.detach())
