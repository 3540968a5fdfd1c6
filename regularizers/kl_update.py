"""The information about the pivot by the log-ratio itself."""

from collections.abc import Callable, Mapping
from typing import final

from torch import Tensor
from torch.optim import Optimizer

from estimators.base import Estimator, SampleEstimator
from regularizers import critics, of_pivot
from regularizers.base import Penalty, Terms


@final
class KLUpdate(Penalty):
    """E_J[T], T the log-ratio of the critic: mutual information itself where the critic is at its best.

    The critic should be trained as a classifier of pairs (estimator=js or jsd); the model descends the mean over joint samples
    alone, as the generator of Sønderby et al. 2017 descends log (1 - D) / D, https://arxiv.org/abs/1610.04490

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
        joint = critics.log_ratios(self.measurement, scores, x, y).joint
        return Terms(bound.fit, joint.mean(), bound.value)
