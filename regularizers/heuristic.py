"""The non-saturating penalty: the classifier makes product samples look like joint samples."""

from typing import final

import torch.nn.functional as F

from infobound.regularizers import critics
from infobound.regularizers.base import Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import OfPivotCritic


@final
class Heuristic(OfPivotCritic):
    """E_M[softplus(-T)], where T is the log-ratio of the critic: the classifier makes product
    samples look like joint ones.

    It is log 2 if the logits do not depend on the pivot, and its gradient does not vanish if the
    critic is certain. Logits without any information about the label also reach this value, and a
    large `lam` may lead there.

    Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661

    Raises ValueError for `lam` below 0, and for an estimator that has no critic, does not give
    nats, or whose best critic is not the log-ratio.
    """

    def terms(self, exposed: Exposed) -> Terms:
        x, y = required(exposed, self.requires)
        scores, bound = critics.scored(self.measurement, x, y)
        ratios = critics.log_ratios(self.measurement, scores, x, y)
        return Terms(bound.fit, F.softplus(-ratios.product).mean(), bound.value)
