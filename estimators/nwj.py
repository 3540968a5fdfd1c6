"""Nguyen-Wainwright-Jordan, also known as the f-divergence bound."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.scores import Scores


@final
class NWJ(Estimator):
    """E_J[T] - E_M[exp(T - 1)], an unbiased lower bound whose variance grows like exp(MI).

    Nguyen et al. 2010, https://arxiv.org/abs/0809.0853
    """

    kind = "lower bound"
    uninformed = 1.0

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(bounds.nwj(scores))

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return torch.ones_like(scores.joint)
