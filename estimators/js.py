"""JS: a critic trained on the Jensen-Shannon objective and read as a lower bound."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, surrogate
from infobound.models.critics.scores import Scores


@final
class JS(Estimator):
    """1 + E_J[T] - E_M[exp T], with T trained to classify joint against product samples.

    A lower bound, unbiased at the optimum because such a T is the log ratio itself: NWJ would read
    1/e too low on the same scores. Training is stable, but the variance of the value grows like
    exp(MI). It costs as much as NWJ.

    Poole et al. 2019, https://arxiv.org/abs/1905.06922; Hjelm et al. 2019,
    https://arxiv.org/abs/1808.06670
    """

    kind = "lower bound"

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return surrogate(bounds.jsd(scores), bounds.tuba(scores, torch.zeros_like(scores.joint)))

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return torch.zeros_like(scores.joint)
