"""The choice of features by their correlations.

N rows, E features of a side, E_x and E_y of x and y, the first D_x and D_y of which are the
columns. All are centred.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from infobound.models.critics.canonical import canonical

LEAST = 4
"""Minimum number of rows for each feature of a side."""
LITTLE = 1e-3
"""A feature is redundant if the columns predict it up to this share of its standard deviation."""
SURE = 1.25
"""A feature must be this many times as correlated as independent ones usually are."""

Choice = Callable[[Tensor, Tensor, int, int], tuple[Tensor, Tensor]]
"""Says which features of x and of y are used, given how many of them are columns."""


def related(
    x: Float[Tensor, "N E_x"], y: Float[Tensor, "N E_y"], dim_x: int, dim_y: int
) -> tuple[Bool[Tensor, " D_x"], Bool[Tensor, " D_y"]]:
    """The columns that are correlated with a column of the other side."""
    correlations = _correlations(x[:, :dim_x], y[:, :dim_y])
    correlated = correlations > _by_chance(correlations, len(x))
    return correlated.any(1), correlated.any(0)


def telling(
    x: Float[Tensor, "N E_x"], y: Float[Tensor, "N E_y"], dim_x: int, dim_y: int
) -> tuple[Bool[Tensor, " E_x"], Bool[Tensor, " E_y"]]:
    """All columns, and the other features that are correlated with what the columns of their side
    do not predict of a column of the other side; only the strongest if rows are few.
    """
    column_x, column_y = x[:, :dim_x], y[:, :dim_y]
    found = canonical(column_x, column_y)
    by_x, by_y = column_x @ found.to_x, column_y @ found.to_y
    return _with_columns(x, dim_x, by_x, column_y), _with_columns(y, dim_y, by_y, column_x)


def _with_columns(features: Tensor, dim: int, known: Tensor, other: Tensor) -> Bool[Tensor, " E"]:
    """Which features of a side are used, given its columns made uncorrelated and the other's."""
    rows, kept = len(features), torch.ones_like(features[0], dtype=torch.bool)
    correlations = _correlations(*(_left(each, known) for each in (features[:, dim:], other)))
    strength, most = correlations.amax(1), rows // LEAST - dim
    enough = strength.topk(most + 1).values[-1] if most < len(strength) else 0.0
    kept[dim:] = (strength > SURE * _by_chance(correlations, rows)) & (strength > enough)
    return kept


def _left(features: Tensor, known: Tensor) -> Tensor:
    """The residuals of a regression on known features, which are uncorrelated and of variance 1;
    0 if hardly anything is left.
    """
    left = features - known @ (known.T @ features) / len(known)
    return left.where(left.norm(dim=0) > LITTLE * features.norm(dim=0), 0.0)


def _correlations(x: Tensor, y: Tensor) -> Float[Tensor, "E_x E_y"]:
    """The absolute correlations of centred features."""
    return (x.T @ y).abs() / torch.outer(x.norm(dim=0), y.norm(dim=0)).clamp_min(1e-30)


def _by_chance(correlations: Tensor, rows: int) -> float:
    """The largest absolute correlation that independent features usually have.

    Fan and Lv 2008, https://doi.org/10.1111/j.1467-9868.2008.00674.x
    """
    return math.sqrt(2 * math.log(correlations.numel() + 1) / rows)
