"""Cheap further estimates from finite rows, next to a critic's estimate; they are not held-out
bounds.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimate
from infobound.estimators.gaussian import Gaussian
from infobound.estimators.ksg import KSG
from infobound.estimators.mixture_knn import MixtureKNN
from infobound.runners.training.randomness import stream

ROWS = 10_000
"""Maximum number of rows that are read, drawn at random if there are more."""
DIMENSIONS = 10
"""Maximum total number of columns of x and y for nearest neighbours."""
NEIGHBOURS = 3
"""Number k of nearest neighbours."""


def beside(x: Tensor, y: Tensor, seed: int) -> dict[str, float | None]:
    """Estimates in nats from canonical correlations and from nearest neighbours on rows x (N,
    dim_x), y (N, dim_y), None if they cannot be computed.
    """
    if len(x) > ROWS:
        source = torch.Generator().manual_seed(stream(seed, "beside"))
        chosen = torch.randperm(len(x), generator=source)[:ROWS].to(x.device)
        x, y = x[chosen], y[chosen]
    low = x.shape[1] + y.shape[1] <= DIMENSIONS
    return {
        "mi_gaussian": _read(Gaussian(unbiased=True), x, y),
        "mi_ksg": _read(by_neighbours, x, y) if low else None,
    }


def by_neighbours(x: Tensor, y: Tensor) -> SampleEstimate:
    """KSG, or its version for mixtures if many rows tie.

    Raises ValueError for rows that they cannot read.
    """
    ksg = KSG(k=NEIGHBOURS, version=1, lnc=None)
    return (MixtureKNN(k=NEIGHBOURS) if ksg.doubts(x, y) else ksg)(x, y)


def _read(
    estimator: Callable[[Tensor, Tensor], SampleEstimate], x: Tensor, y: Tensor
) -> float | None:
    try:
        return estimator(x, y).value
    except ValueError:  # too few rows, or one side determines the other linearly
        return None
