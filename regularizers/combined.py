"""The game and its non-saturating form together."""

from typing import final

import torch.nn.functional as F
from torch import Tensor

from infobound.estimators.base import Bound
from infobound.models.critics.scores import Scores
from infobound.regularizers.pivot_critic import PivotCritic


@final
class Combined(PivotCritic):
    """max(0, I + E_M[softplus(-T)]), T the log-ratio of the critic that climbs the estimator I.

    Of the Jensen-Shannon divergence (estimator=jsd) log 4 - E_J[softplus(-T)] - E_M[T] is left.

    Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661

    Raises ValueError for what PivotCritic refuses.
    """

    def descended(self, bound: Bound, scores: Scores, x: Tensor, y: Tensor) -> Tensor:
        return (bound.objective + F.softplus(-self.log_ratios(scores, x, y).product).mean()).relu()
