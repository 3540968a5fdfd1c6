"""SMILE: Donsker-Varadhan with a clipped partition function."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, surrogate
from infobound.models.critics.scores import Scores


@final
class SMILE(Estimator):
    """E_J[T] - log E_M[clip(exp T, exp -tau, exp tau)], with T trained on the Jensen-Shannon
    objective.

    Neither bound: a small tau keeps the variance of about exp(2 tau) / B small but adds an upward
    bias. tau = inf gives Donsker-Varadhan's lower bound, with a critic trained on the
    Jensen-Shannon objective. It costs as much as Donsker-Varadhan.

    Song and Ermon 2020, https://arxiv.org/abs/1910.06222

    Raises ValueError unless `tau` is positive.
    """

    kind = "neither"
    log_of_mean = True

    def __init__(self, *, tau: float = 5.0) -> None:
        super().__init__()
        if not tau > 0:
            raise SettingError("tau", "must be positive; inf means no clipping", tau)
        self.tau = tau

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return surrogate(bounds.jsd(scores), bounds.smile(scores, self.tau))

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, ""]:
        return bounds.log_mean_exp(scores.product.clamp(-self.tau, self.tau))
