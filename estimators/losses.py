"""Losses of metric learning, pure functions of scores. They bring pairs together and do not
estimate information.

B batch, K product samples a row; a loss is a differentiable scalar. T is the critic, here a
similarity: higher for closer pairs.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from infobound.models.critics.scores import Scores


def n_pair(scores: Scores) -> Float[Tensor, ""]:
    """Multi-class N-pair loss, E_J[log(1 + sum_k exp(T_ik - T_i0))], which is log(K + 1) - InfoNCE.

    Sohn 2016,
    https://papers.nips.cc/paper/6200-improved-deep-metric-learning-with-multi-class-n-pair-loss-objective
    """
    excess = scores.product - scores.joint.unsqueeze(-1)
    return F.softplus(excess.logsumexp(dim=-1)).mean()


def triplet(scores: Scores, margin: float) -> Float[Tensor, ""]:
    """Triplet loss with semi-hard negatives, E_J[max(0, margin + T_in - T_i0)], in the unit of the
    scores.

    n is the nearest of the row's product samples that are farther away than the joint sample, or
    the farthest one if all are nearer. Schroff et al. 2015, https://arxiv.org/abs/1503.03832
    """
    excess = scores.product - scores.joint.unsqueeze(-1)
    semi_hard = excess.masked_fill(excess >= 0, -math.inf).amax(dim=-1)
    chosen = torch.where(semi_hard.isfinite(), semi_hard, excess.amin(dim=-1))
    return F.relu(margin + chosen).mean()
