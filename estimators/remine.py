"""ReMINE, Donsker-Varadhan with its free constant held in place."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class ReMINE(Estimator):
    """E_J[T] - log E_M[exp T], whose critic also descends lam (log E_M[exp T] - target)^2.

    A lower bound: adding a constant to T changes nothing, so the penalty stops its drift without
    moving the optimum, and it is no part of the value or of what an encoder follows. Bias and cost
    are Donsker-Varadhan's; training varies less. Read over many batches, both expectations are
    averaged before the logarithm, the paper's macro average, as for every estimator here: the mean
    of the batches' own values has read 4.37 of 2.77 nats at batches of 16 one-hot pairs, where this
    reads 2.02.

    Choi and Lee 2020, https://arxiv.org/abs/2011.07932
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
