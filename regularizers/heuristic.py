"""The non-saturating game: a classifier makes pairs that are none look like pairs."""

from collections.abc import Callable
from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.regularizers import critics, of_pivot
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import calibrated_critic


@final
class Heuristic(Penalty):
    """E_M[softplus(-T)], T the log-ratio of the critic: the classifier makes product samples look
    like joint ones.

    It is log 2 where nothing depends on the pivot, and has a gradient also where the critic is
    sure. Logits that say nothing of the label either meet it as well, and a large `lam` leads
    there.

    Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661

    Raises ValueError for `lam` below 0, an estimator without a critic, one that gives no
    nats, or one whose best critic is not the log-ratio.
    """

    of_pivots = True

    def __init__(
        self,
        rows: Exposed,
        *,
        estimator: Estimator | SampleEstimator,
        critic: Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        lam: float = 1.0,
        warmup: int = 0,
        critic_steps: int = 4,
    ) -> None:
        super().__init__(
            of_pivot.PAIR, of_pivot.strength(lam), optimizer, critic_steps, None, False, warmup
        )
        self.measurement = calibrated_critic(rows, critic, estimator)

    def terms(self, exposed: Exposed) -> Terms:
        x, y = required(exposed, self.requires)
        scores, bound = critics.scored(self.measurement, x, y)
        ratios = critics.log_ratios(self.measurement, scores, x, y)
        return Terms(bound.fit, F.softplus(-ratios.product).mean(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
