"""The critic of a penalty, and what it reads."""

import copy
from collections.abc import Callable

from torch import Tensor, nn

from estimators.base import Bound, Estimator, SampleEstimator
from estimators.measurement import Measurement

Critics = Callable[[int, int], nn.Module]
"""Makes a critic for the dimensions of x and y."""


def measurement(critic: Critics | None, estimator: Estimator | SampleEstimator, x: Tensor, y: Tensor) -> Measurement:
    """A critic and an estimator that were shown rows x (N, dim_x), y (N, dim_y).

    Raises ValueError for an estimator without a critic.
    """
    if not isinstance(estimator, Estimator) or critic is None:
        raise ValueError(
            f"estimator must be one that trains a critic, got {type(estimator).__name__} without one; use estimator=infonce"
        )
    made = Measurement(critic(x.shape[1], y.shape[1]), copy.deepcopy(estimator))
    made.prepare(x, y)
    return made


def bound(measurement: Measurement, x: Tensor, y: Tensor, learning: bool) -> Bound:
    """What it reads of a batch x (B, dim_x), y (B, dim_y); where it is `learning`, moving averages are committed."""
    scores = measurement.scores(x, y)
    read = measurement.estimator.bound(scores, x, y)
    if learning:
        measurement.estimator.update(scores)
    return read
