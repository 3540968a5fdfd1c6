"""A difference of two entropies, each computed with a learned density."""

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
    """E_J[-log r(y)] - E_J[-log q(y | x)], with q and r trained by maximum likelihood and r a
    mixture of normals.

    Neither bound: each cross-entropy exceeds its entropy, and the bias is the difference between
    the two excesses. Unlike a lower bound, it is not limited by the logarithm of the number of
    samples. Its variance is that of a log-likelihood. It needs only joint samples.

    McAllester and Stratos 2020, https://arxiv.org/abs/1811.04251

    Raises ValueError unless `components` is positive.
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
        """Create the marginal r from the rows of y."""
        self.marginal = GaussianMixture(y, self.components)

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        log_marginal = self.marginal(y)
        objective = bounds.log_density_ratio(scores, log_marginal)
        return Bound(-scores.joint.mean() - log_marginal.mean(), objective, objective.detach())

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return self.marginal(y)
