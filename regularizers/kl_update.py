"""The information about the pivot by the log-ratio itself."""

from typing import final

from torch import Tensor

from infobound.estimators.base import Bound
from infobound.models.critics.scores import Scores
from infobound.regularizers.pivot_critic import PivotCritic


@final
class KLUpdate(PivotCritic):
    """E_J[T], T the log-ratio of the critic: mutual information itself where the critic is at its
    best.

    The critic should be trained as a classifier of pairs (estimator=js or jsd); the model descends
    the mean over joint samples alone, as the generator of Sønderby et al. 2017 descends log (1 - D)
    / D, https://arxiv.org/abs/1610.04490

    Raises ValueError for what PivotCritic refuses.
    """

    def descended(self, bound: Bound, scores: Scores, x: Tensor, y: Tensor) -> Tensor:
        return self.log_ratios(scores, x, y).joint.mean()
