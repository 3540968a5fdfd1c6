"""The triplet loss."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import losses
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.scores import Scores


@final
class Triplet(Estimator):
    """-E_J[max(0, margin + T_in - T_i0)], where n is a semi-hard product sample of the row; in the
    unit of the scores.

    Use it with critic=squared_distance, T = -|x - y|^2 between representations of length 1, on top
    of encoders.

    Schroff et al. 2015, https://arxiv.org/abs/1503.03832

    Raises ValueError unless `margin` is positive.
    """

    kind = "loss"

    def __init__(self, *, margin: float = 0.2) -> None:
        super().__init__()
        if not margin > 0:
            raise SettingError("margin", "must be positive", margin)
        self.margin = margin

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(-losses.triplet(scores, self.margin))
