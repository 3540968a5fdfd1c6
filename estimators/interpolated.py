"""I_alpha, between InfoNCE and TUBA."""

import math
from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.baselines import MLPBaseline
from infobound.models.critics.scores import Scores


@final
class Interpolated(Estimator):
    """TUBA with baseline alpha m(x) + (1 - alpha) q(x): alpha = 1 gives InfoNCE's baseline, alpha =
    0 gives TUBA with a learned q.

    A lower bound; alpha trades InfoNCE's bias (a cap near log(K / alpha)) for TUBA's variance. It
    costs as much as TUBA and a log-sum-exp over each row. Poole et al. 2019, equation 10,
    https://arxiv.org/abs/1905.06922

    Raises ValueError unless 0 <= `alpha` <= 1.
    """

    kind = "lower bound"
    prepares_from = "dimensions"
    baseline: nn.Module

    def __init__(
        self, *, alpha: float = 0.01, baseline: Callable[[int], nn.Module] = MLPBaseline
    ) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise SettingError("alpha", "must be between 0 (TUBA) and 1 (InfoNCE)", alpha)
        self.alpha = alpha
        self._build = baseline

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Create the baseline for the dimension of x."""
        self.baseline = self._build(x.shape[-1]).to(x.device)

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(bounds.interpolated(scores, self.baseline(x), self.alpha))

    def cap(self, negatives: int) -> float | None:
        """log(K / alpha). If alpha < 1, plus 1: the constant of TUBA, whose last term may
        vanish.
        """
        if self.alpha == 0:
            return None
        return math.log(negatives / self.alpha) + (self.alpha < 1)

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return bounds.log_mixture(
            bounds.row_log_mean_exp(scores.product), self.baseline(x), self.alpha
        )
