"""A critic and an estimator together: what one copy trains and one evaluation reads."""

from torch import Tensor, nn

from estimators.base import Bound, Estimator
from models.scores import Scores


class Measurement(nn.Module):
    """Pairs x (B, dim_x), y (B, dim_y) in, a Bound out; in training mode it commits the estimator's moving averages."""

    def __init__(self, critic: nn.Module, estimator: Estimator) -> None:
        super().__init__()
        self.critic = critic
        self.estimator = estimator

    def scores(self, x: Tensor, y: Tensor) -> Scores:
        """The critic's scores in float32, whatever precision it computes in."""
        return Scores(*(values.float() for values in self.critic(x, y)))

    def forward(self, x: Tensor, y: Tensor) -> Bound:
        scores = self.scores(x, y)
        bound = self.estimator.bound(scores, x, y)
        if self.training:
            self.estimator.update(scores)
        return bound
