"""The game and its non-saturating form together."""

from collections.abc import Callable, Mapping
from typing import final

import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from estimators.base import Estimator, SampleEstimator
from regularizers import critics, of_pivot
from regularizers.base import Penalty, Terms


@final
class Combined(Penalty):
    """max(0, I + E_M[softplus(-T)]), T the log-ratio of the critic that climbs the estimator I.

    Of the Jensen-Shannon divergence (estimator=jsd) log 4 - E_J[softplus(-T)] - E_M[T] is left.

    Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661

    Raises ValueError for `lam` below 0 and what of_pivot.measurement refuses.
    """

    def __init__(
        self,
        rows: Mapping[str, Tensor],
        *,
        estimator: Estimator | SampleEstimator,
        critic: critics.Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        lam: float,
        warmup: int,
        critic_steps: int,
    ) -> None:
        super().__init__(of_pivot.PAIR, of_pivot.strength(lam), optimizer, critic_steps, None, False, warmup)
        self.measurement = of_pivot.measurement(rows, critic, estimator, calibrated=True)

    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        assert self.measurement is not None, "made by the constructor"
        x, y = (exposed[name] for name in self.requires)
        scores, bound = critics.scored(self.measurement, x, y, self.learning)
        product = critics.log_ratios(self.measurement, scores, x, y).product
        return Terms(bound.fit, (bound.objective + F.softplus(-product).mean()).relu(), bound.value)
