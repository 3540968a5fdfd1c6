"""MINE: Donsker-Varadhan with a moving average in its gradient."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class MINE(Estimator):
    """The value of Donsker-Varadhan, with a gradient that divides by a moving average of E_M[exp T]
    and so avoids the bias of small batches.

    log average <- log((1 - alpha) average + alpha E_M[exp T]), kept in log space and initialised
    with the first batch.

    Belghazi et al. 2018, section 3.2, https://arxiv.org/abs/1801.04062

    Raises ValueError unless 0 < `alpha` <= 1.
    """

    kind = "lower bound"
    log_of_mean = True
    log_average: Float[Tensor, ""]

    def __init__(self, *, alpha: float = 0.01) -> None:
        super().__init__()
        if not 0 < alpha <= 1:
            raise SettingError("alpha", "must be above 0 and at most 1", alpha)
        self.alpha = alpha
        self.register_buffer("log_average", torch.tensor(-math.inf))

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        value = bounds.dv(scores)
        surrogate = bounds.mine(scores, self._blend(scores))
        return Bound(-surrogate, surrogate + (value - surrogate).detach(), value.detach())

    @torch.no_grad()
    def update(self, scores: Scores) -> None:
        self.log_average.copy_(self._blend(scores))

    def _blend(self, scores: Scores) -> Float[Tensor, ""]:
        batch = bounds.log_mean_exp(scores.product.detach())
        if self.alpha == 1:
            return batch
        blended = torch.logaddexp(
            self.log_average + math.log1p(-self.alpha), batch + math.log(self.alpha)
        )
        return torch.where(torch.isneginf(self.log_average), batch, blended)

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, ""]:
        return bounds.log_mean_exp(scores.product)
