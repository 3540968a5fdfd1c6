"""The variational upper bound with a standard normal marginal."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores
from infobound.models.layers.gaussian import log_normal


@final
class VariationalUpper(Estimator):
    """E_J[log q(y | x) - log N(y; 0, I)], with q trained by maximum likelihood: the rate of a
    variational information bottleneck.

    An upper bound if q is the true conditional, with an upward bias of KL(p(y) | N(0, I)) and low
    variance. It needs only joint samples. Alemi et al. 2017, https://arxiv.org/abs/1612.00410;
    Poole et al. 2019, https://arxiv.org/abs/1905.06922
    """

    kind = "upper bound"
    scores = "log density"

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        objective = bounds.log_density_ratio(scores, self.log_normaliser(scores, x, y))
        return Bound(-scores.joint.mean(), objective, objective.detach())

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return log_normal(y, torch.zeros_like(y[0]), None)
