"""The Jensen-Shannon divergence between joint and product, in place of mutual information."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.scores import Scores


@final
class JSD(Estimator):
    """log 4 - E_J[softplus(-T)] - E_M[softplus(T)].

    A lower bound on twice the Jensen-Shannon divergence, which is neither bound on mutual
    information and never above log 4. As an estimate of mutual information its bias is large, its
    variance small; its cost is NWJ's.

    Nowozin et al. 2016, https://arxiv.org/abs/1606.00709; Hjelm et al. 2019,
    https://arxiv.org/abs/1808.06670
    """

    kind = "neither"

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(bounds.jsd(scores))

    def cap(self, negatives: int) -> float:
        return math.log(4)

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return torch.zeros_like(scores.joint)
