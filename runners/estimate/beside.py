"""Cheap further estimates from finite rows, next to a critic's estimate; they are not held-out
bounds.
"""

import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimator
from infobound.estimators.gaussian import Gaussian
from infobound.estimators.ksg import KSG
from infobound.runners.training.randomness import stream

ROWS = 10_000
"""Maximum number of rows that are read, drawn at random if there are more."""
DIMENSIONS = 10
"""Maximum total number of columns of x and y for nearest neighbours."""


def beside(x: Tensor, y: Tensor, seed: int) -> dict[str, float | None]:
    """Estimates in nats from canonical correlations and from KSG on rows x (N, dim_x), y (N,
    dim_y), None if they cannot be computed.
    """
    if len(x) > ROWS:
        source = torch.Generator().manual_seed(stream(seed, "beside"))
        chosen = torch.randperm(len(x), generator=source)[:ROWS].to(x.device)
        x, y = x[chosen], y[chosen]
    low = x.shape[1] + y.shape[1] <= DIMENSIONS
    return {
        "mi_gaussian": _read(Gaussian(unbiased=True), x, y),
        "mi_ksg": _read(KSG(k=3, version=1, lnc=None), x, y) if low else None,
    }


def _read(estimator: SampleEstimator, x: Tensor, y: Tensor) -> float | None:
    try:
        return estimator(x, y).value
    except ValueError:  # too few rows, or one side determines the other linearly
        return None
