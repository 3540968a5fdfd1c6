"""The information about the pivot, as the mean log-ratio of joint samples."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.regularizers import critics, of_pivot
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import PivotCritic


@final
class KLUpdate(Penalty):
    """E_J[T], where T is the log-ratio of the critic: for the best critic, mutual information
    itself.

    Train the critic as a classifier of pairs (estimator=js or jsd). The model only minimises the
    mean over joint samples, as a generator minimises log (1 - D) / D.

    Sønderby et al. 2017, https://arxiv.org/abs/1610.04490

    Raises ValueError for `lam` below 0, and for an estimator that has no critic, does not give
    nats, or whose best critic is not the log-ratio.
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
