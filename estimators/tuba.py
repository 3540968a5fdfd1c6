"""TUBA, the tractable unnormalised Barber-Agakov bound."""

from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, maximised
from infobound.models.critics.baselines import MLPBaseline
from infobound.models.critics.scores import Scores


@final
class TUBA(Estimator):
    """1 + E_J[T - log a(x)] - E_M[exp(T) / a(x)] with a learned baseline a.

    An unbiased lower bound. Its variance grows like exp(MI), but less if a(x) learns the part of T
    that depends only on x. It costs a baseline on B rows in addition to the critic. Poole et al.
    2019, https://arxiv.org/abs/1905.06922
    """

    kind = "lower bound"
    prepares_from = "dimensions"
    baseline: nn.Module

    def __init__(self, *, baseline: Callable[[int], nn.Module] = MLPBaseline) -> None:
        super().__init__()
        self._build = baseline

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Create the baseline for the dimension of x."""
        self.baseline = self._build(x.shape[-1]).to(x.device)

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        return maximised(bounds.tuba(scores, self.baseline(x)))

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return self.baseline(x)
