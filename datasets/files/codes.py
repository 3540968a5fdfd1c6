"""Whole numbers that look like codes, which have no order and no distance."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

NAMED = re.compile(r"(^|[\W_])(ids?|codes?|zip|zipcode|postcode|plz|sku|isbn)$|[a-z](Id|ID|Code)$")
"""Names of columns that hold codes."""
OFTEN = 5
"""Minimum number of rows for each code, on average."""
OFFSET = 1000
"""Ratio of the smallest code to the range of the codes, above which they are not quantities."""
NEIGHBOURED = 0.25
"""Share of rows whose value has a neighbour, below which values are scattered."""
SHOWN = 3
"""Number of codes in a warning."""


def doubts(column: pd.Series, remedy: str) -> list[str]:
    """A warning if a column of quantities looks as if it held codes."""
    if is_bool_dtype(column) or not is_numeric_dtype(column):
        return []
    known = column.dropna().to_numpy(np.float64)
    if not len(known) or not (np.isfinite(known).all() and (known % 1 == 0).all()):
        return []
    values, counts = np.unique(known, return_counts=True)
    if len(values) < 3 or not (_named(column) or _few(values, counts)):
        return []
    shown = ", ".join(f"{value:.0f}" for value in values[:SHOWN])
    return [
        f"column {column.name} is read as a quantity, but looks like codes ({shown}, ...);"
        f" if so, {remedy}"
    ]


def _named(column: pd.Series) -> bool:
    return NAMED.search(str(column.name)) is not None


def _few(values: np.ndarray, counts: np.ndarray) -> bool:
    """Whether few values are far from zero, or are scattered on no scale: neither evenly nor with
    growing gaps.
    """
    gaps = np.diff(values)
    if OFTEN * len(values) > counts.sum():
        return False
    if abs(values).min() > OFFSET * (values[-1] - values[0]):
        return True
    step = np.gcd.reduce(gaps.astype(np.int64))
    close = np.append(gaps == step, False) | np.insert(gaps == step, 0, False)
    growing = bool((np.diff(gaps) >= 0).all())
    return not growing and counts[close].sum() < NEIGHBOURED * counts.sum()
