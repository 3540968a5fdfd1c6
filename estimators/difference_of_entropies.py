"""A difference of two entropies, each by a learned density."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores
from infobound.models.layers.gaussian import GaussianMixture


@final
class DifferenceOfEntropies(Estimator):
    """E_J[-log r(y)] - E_J[-log q(y | x)], q and r trained by their likelihoods, r a mixture of
    normals.

    Neither bound: both cross-entropies are above their entropies, and the bias is the difference of
    the two excesses. Unlike a lower bound it is not limited by the logarithm of the number of
    samples; its variance is that of a log-likelihood, and it needs joint samples alone.

    McAllester and Stratos 2020, https://arxiv.org/abs/1811.04251
    """

    kind = "neither"
    scores = "log density"
    marginal: GaussianMixture

    def __init__(self, *, components: int = 8) -> None:
        super().__init__()
        if components < 1:
            raise SettingError("components", "must be a positive integer", components)
        self.components = components

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Make the marginal at y."""
        self.marginal = GaussianMixture(y, self.components)

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        log_marginal = self.marginal(y)
        objective = bounds.log_density_ratio(scores, log_marginal)
        return Bound(-scores.joint.mean() - log_marginal.mean(), objective, objective.detach())

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return self.marginal(y)
