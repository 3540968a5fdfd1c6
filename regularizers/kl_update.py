"""The information about the pivot by the log-ratio itself."""

from collections.abc import Callable
from typing import final

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
class KLUpdate(Penalty):
    """E_J[T], T the log-ratio of the critic: mutual information itself where the critic is at its
    best.

    The critic should be trained as a classifier of pairs (estimator=js or jsd); the model descends
    the mean over joint samples alone, as a generator descends log (1 - D) / D.

    Sønderby et al. 2017, https://arxiv.org/abs/1610.04490

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
        return Terms(bound.fit, ratios.joint.mean(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
