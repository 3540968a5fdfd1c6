"""The critic of a penalty, and what it reads."""

import copy
from collections.abc import Callable

from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Measurement
from infobound.models.critics.scores import Scores

Critics = Callable[[int, int], nn.Module]
"""Makes a critic for the dimensions of x and y."""


def measurement(
    critic: Critics | None, estimator: Estimator | SampleEstimator, x: Tensor, y: Tensor
) -> Measurement:
    """A critic and an estimator that were shown rows x (N, dim_x), y (N, dim_y).

    Raises ValueError for an estimator without a critic.
    """
    if not isinstance(estimator, Estimator) or critic is None:
        raise SettingError(
            "estimator",
            "must be one that trains a critic",
            f"{type(estimator).__name__} without one",
            "use estimator=infonce",
        )
    made = Measurement(critic(x.shape[1], y.shape[1]), copy.deepcopy(estimator))
    made.prepare(x, y)
    return made


def scored(measurement: Measurement, x: Tensor, y: Tensor, learning: bool) -> tuple[Scores, Bound]:
    """The scores of a batch x (B, dim_x), y (B, dim_y) and what it reads of them; where it is
    `learning`, moving averages are committed.
    """
    scores = measurement.scores(x, y)
    read = measurement.estimator.bound(scores, x, y)
    if learning:
        measurement.estimator.update(scores)
    return scores, read


def bound(measurement: Measurement, x: Tensor, y: Tensor, learning: bool) -> Bound:
    """What it reads of a batch, without the scores."""
    return scored(measurement, x, y, learning)[1]


def log_ratios(measurement: Measurement, scores: Scores, x: Tensor, y: Tensor) -> Scores:
    """The scores of a batch less what the estimator takes off them: log p(x, y) / p(x) p(y) where
    the critic is at its best.

    What is taken off is a constant to the gradient. Raises ValueError for an estimator whose best
    critic is no such ratio.
    """
    normaliser = measurement.estimator.log_normaliser(scores, x, y)
    if normaliser is None:
        raise SettingError(
            "estimator",
            "must be one whose best critic is a log-ratio",
            type(measurement.estimator).__name__,
            "use estimator=js",
        )
    rows = normaliser.detach().expand_as(scores.joint)
    return Scores(scores.joint - rows, scores.product - rows.unsqueeze(-1))
