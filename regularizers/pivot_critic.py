"""The critic of logits and pivots that several penalties descend, each in a way of its own."""

import torch

from infobound.errors import SettingError
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.regularizers import critics, of_pivot
from infobound.regularizers.exposed import Exposed, required

LOOKED_AT = 64
"""Rows that an estimator is tried on."""


def critic_of_pivots(
    rows: Exposed, critic: Critics | None, estimator: Estimator | SampleEstimator
) -> Measurement:
    """A critic of logits and pivots that climbs the estimator.

    Raises ValueError for a model without logits or pivots, an estimator without a critic, and one
    that gives no nats.
    """
    made = critics.prepared(critic, estimator, *required(rows, of_pivot.PAIR))
    if made.estimator.kind == "loss":
        raise SettingError(
            "estimator",
            "must give nats",
            f"{type(estimator).__name__}, a loss",
            "use estimator=js",
        )
    return made


def calibrated_critic(
    rows: Exposed, critic: Critics | None, estimator: Estimator | SampleEstimator
) -> Measurement:
    """The same, whose scores become log-ratios.

    Raises ValueError also for an estimator whose best critic is not the log-ratio.
    """
    made = critic_of_pivots(rows, critic, estimator)
    x, y = (each[:LOOKED_AT] for each in required(rows, of_pivot.PAIR))
    with torch.no_grad():
        critics.log_ratios(made, made.scores(x, y), x, y)
    return made
