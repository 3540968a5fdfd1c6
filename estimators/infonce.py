"""InfoNCE: contrastive estimation against the other rows of the batch."""

import math
from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.scores import Scores


@final
class InfoNCE(Estimator):
    """E_J[T_i0 - log mean_k exp T_ik], a lower bound with low variance that cannot exceed log(K +
    1).

    van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; Poole et al. 2019,
    https://arxiv.org/abs/1905.06922
    """

    kind = "lower bound"

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(bounds.infonce(scores))

    def cap(self, negatives: int) -> float:
        return math.log(negatives + 1)

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return scores.joint - bounds.infonce_terms(scores)
