"""The Donsker-Varadhan bound."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.scores import Scores


@final
class DV(Estimator):
    """E_J[T] - log E_M[exp T], a lower bound whose gradient is biased in small batches.

    Its variance is lower than NWJ's. It reads too high if it is computed from few product pairs.

    Donsker and Varadhan 1983, https://doi.org/10.1002/cpa.3160360204;
    Belghazi et al. 2018, https://arxiv.org/abs/1801.04062
    """

    kind = "lower bound"
    log_of_mean = True

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(bounds.dv(scores))

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, ""]:
        return bounds.log_mean_exp(scores.product)
