"""Arrays of numbers as tables of float32, or of float64 where float32 would round too much.

N rows, D columns.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

FINE = 1e-5
"""Negligible rounding, as a share of a column's spread."""
LEAST = 1e-140
"""Smallest spread of a column that varies."""


def table(name: str, values: ArrayLike | Tensor) -> Tensor:
    """Convert `values` (N, ...) to a float32 tensor (N, D), flattening all axes but the first;
    errors use `name`. It is float64 if float32 would round away part of the variation, as in Unix
    time.

    Raises ValueError if they are empty, not real numbers, not finite, or constant: in every column,
    or in any column if `values` is (N, D). With more axes, as in images, constant parts are
    allowed.
    """
    if isinstance(values, Tensor):
        values = array(values)
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} must have every value, got {np.ma.count_masked(values)} masked ones; drop or"
            " fill these rows"
        )
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold real numbers, got dtype {given.dtype}; convert them, as by"
            " astype(float)"
        )
    if given.ndim == 0 or given.size == 0:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {given.shape}"
        )
    full = given.reshape(len(given), -1)
    with np.errstate(over="ignore"):
        table = full.astype(np.float32)
    _check_finite(name, table)
    _check_varying(name, full, whole=given.ndim > 2)
    check_size(name, full)
    return torch.from_numpy(full.astype(np.float64) if rounds(full) else table)


def array(values: Tensor) -> np.ndarray:
    """A tensor on any device as an array, float32 for shorter floating-point numbers."""
    values = values.detach().cpu()
    if values.dtype in (torch.float16, torch.bfloat16):  # NumPy does not have the second
        values = values.float()
    return values.numpy()


def rounds(table: NDArray[np.generic]) -> bool:
    """Whether float32 would round a column of a table (N, D) by more than `FINE` of its spread."""
    full = table.astype(np.float64)
    low, high = full.min(0), full.max(0)
    single = np.finfo(np.float32)
    largest = np.maximum(np.abs(low), np.abs(high))
    step = np.maximum(single.eps * largest, single.smallest_subnormal) / 2
    return bool((step > FINE * (high - low))[high > low].any())


def check_size(name: str, table: NDArray[np.generic]) -> None:
    """Raise ValueError for a column of a table (N, D) that varies so little that its variance would
    be 0.
    """
    low, high = (extreme(0).astype(np.float64) for extreme in (table.min, table.max))
    spread = high - low
    for column in np.flatnonzero((spread > 0) & (spread < LEAST)):
        raise ValueError(
            f"{name} must vary by more in column {column}, got {spread[column]:.1g}, whose square"
            " is 0 in double precision; multiply the column by a constant"
        )


def _check_finite(name: str, table: NDArray[np.float32]) -> None:
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{name} must be finite, got {bad.sum()} values that are NaN, infinite or beyond"
            f" float32, the first in row {row}, column {column}; drop or fill these rows"
        )


def _check_varying(name: str, table: NDArray[np.generic], *, whole: bool) -> None:
    """Check that every column varies from row to row, or with `whole` that any column does."""
    constant = np.flatnonzero(table.min(0) == table.max(0)) if len(table) > 1 else np.array([], int)
    if len(constant) == table.shape[1] or (len(constant) and not whole):
        more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
        raise ValueError(
            f"{name} must vary in every column, got the same number in all rows of column"
            f" {', '.join(map(str, constant[:5]))}{more}; leave it out, or give images as (rows,"
            " height, width)"
        )
