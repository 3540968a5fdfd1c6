"""The minmax penalty: a critic estimates the information about the pivot."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.regularizers import critics, of_pivot
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import PivotCritic


@final
class Minmax(Penalty):
    """max(0, I): the critic maximises the estimator I, and the classifier minimises it while it is
    above 0.

    With a lower bound, the classifier may hide information from the critic, so the critic must keep
    up.

    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661

    Raises ValueError for `lam` below 0, and for an estimator that has no critic or does not give
    nats.
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
        self.measurement = settings.shown(rows)

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *required(exposed, self.requires))
        return Terms(bound.fit, bound.objective.relu(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
