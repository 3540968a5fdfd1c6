"""The minmax penalty: a critic estimates the information about the pivot."""

from typing import final

from infobound.regularizers import critics
from infobound.regularizers.base import Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import OfPivotCritic


@final
class Minmax(OfPivotCritic):
    """max(0, I): the critic maximises the estimator I, and the classifier minimises it while it is
    above 0.

    With a lower bound, the classifier may hide information from the critic, so the critic must keep
    up.

    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661

    Raises ValueError for `lam` below 0, and for an estimator that has no critic or does not give
    nats.
    """

    calibrated = False

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *required(exposed, self.requires))
        return Terms(bound.fit, bound.objective.relu(), bound.value)
