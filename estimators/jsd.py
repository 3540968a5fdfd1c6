"""The Jensen-Shannon divergence between joint and product, instead of mutual information."""

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

    A lower bound on twice the Jensen-Shannon divergence, which never exceeds log 4 and bounds
    mutual information on neither side. As an estimate of mutual information it has a large bias and
    a small variance. It costs as much as NWJ.

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
