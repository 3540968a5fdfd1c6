"""Columns on scales that distances can compare. Mutual information does not depend on the scales.

N rows, D columns, D_x and D_y of x and y, F features.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri
from scipy.stats import rankdata

Table = Float64[np.ndarray, "N D"]

UNLIKE = 10
"""Factor between the spreads of two columns from which on their joint scale has no meaning."""
MANY = 10
"""Number of columns of one side above which distances say little about any of them."""
FLOOR = 3
"""A column counts for at least this, divided by the number of columns of its side."""


def ranked(table: Table) -> Table:
    """Each column's normal quantiles by rank; equal values stay equal."""
    return ndtri((rankdata(table, axis=0) - 0.5) / len(table))


def standardised(table: Table) -> Table:
    """Each column divided by its spread."""
    spread = _spread(table)
    return table / np.where(spread > 0, spread, 1)


def comparable(
    x: Float64[np.ndarray, "N D_x"],
    y: Float64[np.ndarray, "N D_y"],
    scaled: Callable[[Table], Table] = ranked,
) -> tuple[Float64[np.ndarray, "N D_x"], Float64[np.ndarray, "N D_y"]]:
    """x and y as they are, or if need be with each column `scaled` and multiplied by a weight.

    Columns are scaled where spreads differ by a factor of UNLIKE or more. With more than MANY
    columns of one side they are weighted too, so that a few informative columns are not lost among
    the others: by the largest correlation of the first three Hermite polynomials of a column's
    ranks with those of the other side's columns.
    """
    many = max(x.shape[1], y.shape[1]) > MANY
    if not many and not _unlike(np.hstack([x, y])):
        return x, y
    if not many:
        return scaled(x), scaled(y)
    shared = np.abs(_features(ranked(x)).T @ _features(ranked(y))) / len(x)
    of_columns = shared.reshape(3, x.shape[1], 3, y.shape[1]).max((0, 2))
    return scaled(x) * _weights(of_columns.max(1)), scaled(y) * _weights(of_columns.max(0))


def _unlike(table: Table) -> bool:
    spread = _spread(table)
    spread = spread[spread > 0]
    return spread.size > 0 and bool(spread.max() >= UNLIKE * spread.min())


def _spread(table: Table) -> Float64[np.ndarray, " D"]:
    """The interquartile range, or the standard deviation where quartiles are equal."""
    low, high = np.quantile(table, (0.25, 0.75), axis=0)
    return np.where(high > low, high - low, table.std(0))


def _features(ranks: Table) -> Float64[np.ndarray, "N F"]:
    """Three uncorrelated functions of each column, of variance 1; 0 for constant columns."""
    powers = np.hstack([ranks, ranks**2, ranks**3 - 3 * ranks])
    centred = powers - powers.mean(0)
    return centred / np.maximum(centred.std(0), 1e-12)


def _weights(shared: Float64[np.ndarray, " D"]) -> Float64[np.ndarray, " D"]:
    """The weights of a side's columns, 1 for the largest correlation; all are 1 where `FLOOR` is
    not below the number of columns.
    """
    largest = shared.max()
    share = shared / largest if largest > 0 else np.ones_like(shared)
    return np.maximum(share, min(1.0, FLOOR / len(shared)))
