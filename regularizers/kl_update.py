"""The information about the pivot, as the mean log-ratio of joint samples."""

from typing import final

from infobound.regularizers import critics
from infobound.regularizers.base import Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import OfPivotCritic


@final
class KLUpdate(OfPivotCritic):
    """E_J[T], where T is the log-ratio of the critic: for the best critic, mutual information
    itself.

    Train the critic as a classifier of pairs (estimator=js or jsd). The model only minimises the
    mean over joint samples, as a generator minimises log (1 - D) / D.

    Sønderby et al. 2017, https://arxiv.org/abs/1610.04490

    Raises ValueError for `lam` below 0, and for an estimator that has no critic, does not give
    nats, or whose best critic is not the log-ratio.
    """

    def terms(self, exposed: Exposed) -> Terms:
        x, y = required(exposed, self.requires)
        scores, bound = critics.scored(self.measurement, x, y)
        ratios = critics.log_ratios(self.measurement, scores, x, y)
        return Terms(bound.fit, ratios.joint.mean(), bound.value)
