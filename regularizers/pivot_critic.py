"""Penalties of a classifier's dependence on pivots that a critic of both reads."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Measurement
from infobound.models.critics.scores import Scores
from infobound.regularizers import critics, of_pivot
from infobound.regularizers.base import Penalty, Terms, required

LOOKED_AT = 64
"""Rows that an estimator is tried on."""


class PivotCritic(Penalty):
    """A critic of logits and pivots climbs an estimator; what the classifier descends is each
    penalty's own.

    Raises ValueError for `lam` below 0, an estimator without a critic, one that gives no nats, or
    where its scores must be `calibrated` one whose best critic is not the log-ratio.
    """

    calibrated: ClassVar[bool] = True
    """Whether the penalty is of log-ratios, which not every estimator's scores become."""

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
        super().__init__(
            of_pivot.PAIR, of_pivot.strength(lam), optimizer, critic_steps, None, False, warmup
        )
        x, y = required(rows, of_pivot.PAIR)
        self.measurement = critics.measurement(critic, estimator, x, y)
        if self.reader.estimator.kind == "loss":
            raise SettingError(
                "estimator",
                "must give nats",
                f"{type(estimator).__name__}, a loss",
                "use estimator=js",
            )
        if self.calibrated:
            with torch.no_grad():
                x, y = x[:LOOKED_AT], y[:LOOKED_AT]
                self.log_ratios(self.reader.scores(x, y), x, y)

    @abstractmethod
    def descended(self, bound: Bound, scores: Scores, x: Tensor, y: Tensor) -> Tensor:
        """What the classifier descends () of the bound and the scores of a batch x (B, C - 1), y
        (B, P).
        """

    @property
    def reader(self) -> Measurement:
        """The critic, which is there."""
        assert self.measurement is not None, "made by the constructor"
        return self.measurement

    def log_ratios(self, scores: Scores, x: Tensor, y: Tensor) -> Scores:
        """T of each pair of a batch: log p(x, y) / p(x) p(y) where the critic is at its best."""
        return critics.log_ratios(self.reader, scores, x, y)

    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        x, y = (exposed[name] for name in self.requires)
        scores, bound = critics.scored(self.reader, x, y, self.learning)
        return Terms(bound.fit, self.descended(bound, scores, x, y), bound.value)
