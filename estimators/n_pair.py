"""The multi-class N-pair loss."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.estimators import losses
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.scores import Scores


@final
class NPair(Estimator):
    """-E_J[log(1 + sum_k exp(T_ik - T_i0))]: every other pair of the batch counts as another class.

    It has InfoNCE's gradient, and its value is InfoNCE - log(K + 1). Use it with
    critic=inner_product on top of encoders.

    Sohn 2016,
    https://papers.nips.cc/paper/6200-improved-deep-metric-learning-with-multi-class-n-pair-loss-objective
    """

    kind = "loss"

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(-losses.n_pair(scores))
