"""The leave-one-out upper bound."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class LeaveOneOut(Estimator):
    """E_J[log q(y_i | x_i) - log mean_k q(y_i | x_k)], with q trained by maximum likelihood: the
    mean over the other x of the batch approximates p(y).

    An upper bound if q is the true conditional; its upward bias falls with the number K of other x
    and its variance is that of a log-likelihood. It scores all pairs. Poole et al. 2019, section
    2.3, https://arxiv.org/abs/1905.06922
    """

    kind = "upper bound"
    scores = "log density"

    def arranged(self, scores: Scores) -> Scores:
        """Scores with one row for each y: product[i, k] = log q(y_i | x_((i + k + 1) mod B)) if all
        pairs were scored.
        """
        joint, product = scores
        size, count = product.shape
        shift = torch.arange(count, 0, -1, device=product.device)
        rows = (torch.arange(size, device=product.device).unsqueeze(1) - shift) % size
        return Scores(joint, product.flip(1).gather(0, rows))

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        objective = bounds.leave_one_out(scores)
        return Bound(-scores.joint.mean(), objective, objective.detach())

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return bounds.row_log_mean_exp(scores.product)
