"""The sum of the minmax and the heuristic penalty."""

from typing import final

import torch.nn.functional as F

from infobound.regularizers import critics
from infobound.regularizers.base import Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import OfPivotCritic


@final
class Combined(OfPivotCritic):
    """max(0, I + E_M[softplus(-T)]), where T is the log-ratio of a critic that maximises the
    estimator I.

    With the Jensen-Shannon divergence (estimator=jsd) this is log 4 - E_J[softplus(-T)] - E_M[T].

    Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661

    Raises ValueError for `lam` below 0, and for an estimator that has no critic, does not give
    nats, or whose best critic is not the log-ratio.
    """

    def terms(self, exposed: Exposed) -> Terms:
        x, y = required(exposed, self.requires)
        scores, bound = critics.scored(self.measurement, x, y)
        ratios = critics.log_ratios(self.measurement, scores, x, y)
        penalty = (bound.objective + F.softplus(-ratios.product).mean()).relu()
        return Terms(bound.fit, penalty, bound.value)
