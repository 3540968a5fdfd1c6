"""What the penalties of a classifier's dependence on pivots have in common: what they read, how strong, and by which critic."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from estimators.base import Estimator, SampleEstimator
from estimators.measurement import Measurement
from regularizers import critics
from regularizers.base import required

PAIR = ("logits", "pivot")
"""Logits (B, C - 1) against class 0, and pivots (B, P), categories as one-hot rows, all of mean 0 and deviation 1."""
LOOKED_AT = 64
"""Rows that an estimator is tried on."""


def strength(lam: float) -> float:
    """lam.

    Raises ValueError unless it is finite and not negative.
    """
    if not 0 <= lam < math.inf:
        raise ValueError(f"lam must be 0 or more and finite, got {lam}")
    return lam


def measurement(
    rows: Mapping[str, Tensor],
    critic: critics.Critics | None,
    estimator: Estimator | SampleEstimator,
    *,
    calibrated: bool = False,
) -> Measurement:
    """A critic of logits and pivots that was shown rows of both.

    Raises ValueError for an estimator without a critic, one that gives no nats, or where its scores must be `calibrated` one
    whose best critic is not the log-ratio.
    """
    x, y = required(rows, PAIR)
    made = critics.measurement(critic, estimator, x, y)
    if made.estimator.kind == "loss":
        raise ValueError(f"estimator must give nats, got {type(estimator).__name__}, a loss; use estimator=js")
    if calibrated:
        with torch.no_grad():
            x, y = x[:LOOKED_AT], y[:LOOKED_AT]
            critics.log_ratios(made, made.scores(x, y), x, y)
    return made


def no_networks(penalty: Tensor) -> Tensor:
    """The `fit` () of a penalty that trains nothing."""
    return torch.zeros_like(penalty)


def squared_distances(x: Tensor) -> Tensor:
    """(B, B) of x (B, D)."""
    return (x[:, None] - x).square().sum(-1)


def centred(matrix: Tensor) -> Tensor:
    """(B, B) whose rows and columns have mean 0."""
    return matrix - matrix.mean(0) - matrix.mean(1, keepdim=True) + matrix.mean()
