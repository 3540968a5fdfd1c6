"""A classifier and a critic play for the information about the pivot."""

from collections.abc import Callable, Mapping
from typing import final

from torch import Tensor
from torch.optim import Optimizer

from estimators.base import Estimator, SampleEstimator
from regularizers import critics, of_pivot
from regularizers.base import Penalty, Terms


@final
class Minmax(Penalty):
    """max(0, I): the critic climbs the estimator I, the classifier descends it where it is above 0.

    By a lower bound the classifier may learn what the critic cannot see, so the critic must keep up.

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
        self.measurement = of_pivot.measurement(rows, critic, estimator)

    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        assert self.measurement is not None, "made by the constructor"
        x, y = (exposed[name] for name in self.requires)
        bound = critics.bound(self.measurement, x, y, self.learning)
        return Terms(bound.fit, bound.objective.relu(), bound.value)
