"""The information about the pivot by the log-ratio itself."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.regularizers import critics, of_pivot
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import PivotCritic


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

    def __init__(self, rows: Exposed, settings: PivotCritic = PivotCritic()) -> None:
        super().__init__(
            of_pivot.PAIR,
            settings.lam,
            settings.optimizer,
            settings.critic_steps,
            warmup=settings.warmup,
        )
        self.measurement = settings.calibrated(rows)

    def terms(self, exposed: Exposed) -> Terms:
        x, y = required(exposed, self.requires)
        scores, bound = critics.scored(self.measurement, x, y)
        ratios = critics.log_ratios(self.measurement, scores, x, y)
        return Terms(bound.fit, ratios.joint.mean(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
