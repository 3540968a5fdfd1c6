"""The non-saturating game: a classifier makes pairs that are none look like pairs."""

from typing import final

import torch.nn.functional as F
from torch import Tensor

from infobound.estimators.base import Bound
from infobound.models.critics.scores import Scores
from infobound.regularizers.pivot_critic import PivotCritic


@final
class Heuristic(PivotCritic):
    """E_M[softplus(-T)], T the log-ratio of the critic: the classifier makes product samples look
    like joint ones.

    It is log 2 where nothing depends on the pivot, and has a gradient also where the critic is
    sure. Logits that say nothing of the label either meet it as well, and a large `lam` leads
    there.

    Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661

    Raises ValueError for what PivotCritic refuses.
    """

    def descended(self, bound: Bound, scores: Scores, x: Tensor, y: Tensor) -> Tensor:
        return F.softplus(-self.log_ratios(scores, x, y).product).mean()
