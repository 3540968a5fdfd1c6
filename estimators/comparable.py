"""Columns on scales that distances can compare.

N rows, D columns.
"""

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri
from scipy.stats import rankdata


def ranked(table: Float64[np.ndarray, "N D"]) -> Float64[np.ndarray, "N D"]:
    """Each column's normal quantiles by rank; equal values stay equal."""
    return ndtri((rankdata(table, axis=0) - 0.5) / len(table))
