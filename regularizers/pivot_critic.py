"""The critic of logits and pivots that several penalties share."""

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.js import JS
from infobound.estimators.measurement import Critics, Measurement
from infobound.models.critics.dense import Concat
from infobound.regularizers import critics, of_pivot
from infobound.regularizers.base import Penalty
from infobound.regularizers.exposed import Exposed, required

LOOKED_AT = 64
"""Number of rows on which an estimator is tried."""
SCORE_AND_PIVOT = partial(
    Concat, hidden=(64, 64), activation="ELU", negatives=1, layer_norm=True, glorot=True
)
"""A critic for few columns."""


@dataclass(frozen=True, kw_only=True)
class PivotCritic(of_pivot.Game):
    """A critic of logits and pivots that maximises the estimator."""

    estimator: Estimator | SampleEstimator = field(default_factory=JS)
    critic: Critics | None = SCORE_AND_PIVOT

    def shown(self, rows: Exposed) -> Measurement:
        """The critic and the estimator, prepared with these rows.

        Raises ValueError for a model without logits or pivots, and for an estimator that has no
        critic or does not give nats.
        """
        made = critics.prepared(self.critic, self.estimator, *required(rows, of_pivot.PAIR))
        if made.estimator.kind == "loss":
            raise SettingError(
                "estimator",
                "must give nats",
                f"{type(self.estimator).__name__}, a loss",
                "use estimator=js",
            )
        return made

    def calibrated(self, rows: Exposed) -> Measurement:
        """The prepared critic and estimator, checked to give log-ratios.

        Raises ValueError also for an estimator whose best critic is not the log-ratio.
        """
        made = self.shown(rows)
        x, y = (each[:LOOKED_AT] for each in required(rows, of_pivot.PAIR))
        with torch.no_grad():
            critics.log_ratios(made, made.scores(x, y), x, y)
        return made


class OfPivotCritic(Penalty):
    """A penalty that reads logits and pivots by a critic, which climbs its estimator.

    Raises ValueError for a model without logits or pivots, and for an estimator that has no critic,
    does not give nats or, if scores must be `calibrated`, whose best critic is not the log-ratio.
    """

    of_pivots = True
    calibrated: ClassVar[bool] = True
    """Whether the penalty needs scores that can be turned into log-ratios."""

    def __init__(self, rows: Exposed, settings: PivotCritic = PivotCritic()) -> None:
        super().__init__(
            of_pivot.PAIR,
            settings.lam,
            settings.optimizer,
            settings.critic_steps,
            warmup=settings.warmup,
        )
        self.measurement = settings.calibrated(rows) if self.calibrated else settings.shown(rows)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
