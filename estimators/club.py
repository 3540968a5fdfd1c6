"""CLUB, the contrastive log-ratio upper bound."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class CLUB(Estimator):
    """E_J[log q(y | x)] - E_M[log q(y | x)], with q trained by maximum likelihood.

    An upper bound if q is the true conditional, or closer to p(x, y) than to p(x) p(y). It has an
    upward bias and low variance. It scores all pairs; `critic.negatives=1` gives the sampled form,
    linear in B.

    Cheng et al. 2020, https://arxiv.org/abs/2006.12013
    """

    kind = "upper bound"
    scores = "log density"

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        objective = bounds.club(scores)
        return Bound(-scores.joint.mean(), objective, objective.detach())
