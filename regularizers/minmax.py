"""A classifier and a critic play for the information about the pivot."""

from typing import final

from torch import Tensor

from infobound.estimators.base import Bound
from infobound.models.critics.scores import Scores
from infobound.regularizers.pivot_critic import PivotCritic


@final
class Minmax(PivotCritic):
    """max(0, I): the critic climbs the estimator I, the classifier descends it where it is above 0.

    By a lower bound the classifier may learn what the critic cannot see, so the critic must keep
    up.

    Raises ValueError for what PivotCritic refuses.
    """

    calibrated = False

    def descended(self, bound: Bound, scores: Scores, x: Tensor, y: Tensor) -> Tensor:
        return bound.objective.relu()
