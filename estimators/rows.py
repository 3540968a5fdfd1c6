"""Paired rows, checked and converted for the estimators that need no training.

N rows, D_x and D_y features.
"""

import math

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from infobound.estimators.base import SampleEstimate


def paired(
    x: Tensor, y: Tensor, least: int
) -> tuple[Float64[np.ndarray, "N D_x"], Float64[np.ndarray, "N D_y"]]:
    """x and y in double precision.

    Raises ValueError unless both have two axes, the same number of rows, at least `least` rows, and
    only finite numbers.
    """
    tables = []
    for name, table in (("x", x), ("y", y)):
        if table.ndim != 2 or table.shape[1] < 1:
            raise ValueError(
                f"{name} must have the shape (rows, columns), got {tuple(table.shape)}"
            )
        numbers = table.detach().cpu().numpy().astype(np.float64)
        if bad := int((~np.isfinite(numbers)).sum()):
            raise ValueError(f"{name} must be finite, got {bad} NaN or infinite entries")
        tables.append(numbers)
    if len(x) != len(y):
        raise ValueError(f"x and y must be paired by row, got {len(x)} and {len(y)} rows")
    if len(x) < least:
        raise ValueError(
            f"x and y must have at least {least} rows for this estimator, got {len(x)}"
        )
    return tables[0], tables[1]


def mean_of(terms: Float64[np.ndarray, " N"]) -> SampleEstimate:
    """The mean of the rows' terms in nats, with their spread over sqrt(N) as its error."""
    return SampleEstimate(float(terms.mean()), error_of(terms))


def error_of(terms: Float64[np.ndarray, " N"]) -> float:
    """The standard error of the mean of N terms, at least 1 / N.

    Where all terms are equal, their spread says nothing about the error, which is then of the next
    order: that of counts of independent pairs has a spread of sqrt(degrees of freedom / 2) / N.
    """
    return max(float(terms.std()) / math.sqrt(len(terms)), 1 / len(terms))
