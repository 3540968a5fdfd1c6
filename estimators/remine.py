"""ReMINE: Donsker-Varadhan with its free constant held in place."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class ReMINE(Estimator):
    """E_J[T] - log E_M[exp T], whose critic also minimises lam (log E_M[exp T] - target)^2.

    A lower bound. Adding a constant to T does not change it, so the penalty stops the drift of T
    without moving the optimum; the penalty is not part of the value or of an encoder's objective.
    Bias and cost are those of Donsker-Varadhan; training varies less. Like every estimator here, it
    averages both expectations over all batches before taking the logarithm, which the paper calls
    the macro average: at batches of 16 one-hot pairs with 2.77 nats it reads 2.02, where the mean
    of the batches' own values reads 4.37.

    Choi and Lee 2020, https://arxiv.org/abs/2011.07932

    Raises ValueError for a negative `lam`.
    """

    kind = "lower bound"
    log_of_mean = True

    def __init__(self, *, lam: float = 0.1, target: float = 0.0) -> None:
        super().__init__()
        if lam < 0:
            raise SettingError("lam", "must not be negative", lam)
        self.lam = lam
        self.target = target

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        value = bounds.dv(scores)
        penalty = self.lam * (bounds.log_mean_exp(scores.product) - self.target).square()
        return Bound(penalty - value, value, value.detach())

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, ""]:
        return bounds.log_mean_exp(scores.product)
