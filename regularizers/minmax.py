"""A classifier and a critic play for the information about the pivot."""

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
from infobound.regularizers.pivot_critic import critic_of_pivots


@final
class Minmax(Penalty):
    """max(0, I): the critic climbs the estimator I, the classifier descends it where it is above 0.

    By a lower bound the classifier may learn what the critic cannot see, so the critic must keep
    up.

    Raises ValueError for `lam` below 0, an estimator without a critic, one that gives no
    nats.
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
        self.measurement = critic_of_pivots(rows, critic, estimator)

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *required(exposed, self.requires))
        return Terms(bound.fit, bound.objective.relu(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
