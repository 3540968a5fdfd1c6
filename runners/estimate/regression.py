"""Check whether a column is a smooth function of several columns of the other side.

N rows, D and P columns, F features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from infobound.estimators.comparable import ranked

FEATURES = 400
"""Number of random features; their least squares take half a second."""
WIDTHS = (1.0, 2.0, 4.0)
"""Widths of the kernel, in standard deviations times the root of the number of columns."""
RIDGES = tuple(10.0**power for power in range(-6, 3))
ROWS = 5_000
"""Maximum number of rows that are read; a fifth of them judges."""
PER_COLUMN = 50
"""Minimum number of rows for each column: fewer give errors that fall as noise is averaged."""
EXPLAINED = 0.9
"""Share of a column's variance that a function must explain."""
FALL = 0.85
"""Largest ratio of the errors by all and by half of the rows that is no sign of noise."""
DISTINCT = 0.5
"""Minimum share of different values of a column: a function with few values gives finite
information.
"""


class Fits(NamedTuple):
    """The share of each column's variance that functions leave, (P,) each."""

    whole: Float64[np.ndarray, " P"]
    """Fitted to all training rows."""
    half: Float64[np.ndarray, " P"]
    """Fitted to half of them."""


def determined(x: Float64[np.ndarray, "N D"], y: Float64[np.ndarray, "N P"]) -> str | None:
    """A sentence if some column of one side seems to be a smooth function of two or more columns of
    the other: a regression explains most of it, and its error keeps falling with the number of
    rows, where it would stay at the noise. Otherwise None.

    x and y are in random order. Functions with kinks or many turns are not found.
    """
    for name, given, other in (("y", x, y), ("x", y, x)):
        rows = min(len(given), ROWS)
        if given.shape[1] < 2 or rows < PER_COLUMN * given.shape[1]:
            continue
        varied = [len(np.unique(column)) >= DISTINCT * len(column) for column in other.T]
        if not any(varied):
            continue
        fits = regression(ranked(given[:rows]), ranked(other[:rows][:, varied]))
        falls = (fits.whole <= 1 - EXPLAINED) & (fits.whole <= FALL * fits.half)
        if falls.any():
            at = int(np.where(falls, fits.whole, np.inf).argmin())
            return (
                f"the truth may be infinite, as where {name} is a function of the other side: a"
                f" regression leaves {fits.whole[at]:.1%} of a column's variance, and"
                f" {fits.half[at]:.1%} with half of the rows"
            )
    return None


def regression(x: Float64[np.ndarray, "N D"], y: Float64[np.ndarray, "N P"]) -> Fits:
    """The errors on the last fifth of the rows of functions of x fitted to the others, the best of
    several widths and ridges: linear, and by random features of a Gaussian kernel.

    Rahimi and Recht 2007, https://papers.nips.cc/paper/3182
    """
    source = np.random.default_rng(0)
    directions = source.standard_normal((x.shape[1], FEATURES)) / np.sqrt(x.shape[1])
    phases = 2 * np.pi * source.random(FEATURES)
    train = len(x) * 4 // 5
    found = list[Sequence[Float64[np.ndarray, " P"]]]()
    for width in WIDTHS:
        waves = np.sqrt(2 / FEATURES) * np.cos(x @ directions / width + phases)
        features = np.hstack([waves, x, np.ones((len(x), 1))])
        judged = features[train:], y[train:]
        found.append([_error(features[:rows], y[:rows], *judged) for rows in (train, train // 2)])
    return Fits(*np.min(found, axis=0))


def _error(
    features: Float64[np.ndarray, "N F"],
    y: Float64[np.ndarray, "N P"],
    judged: Float64[np.ndarray, "M F"],
    answers: Float64[np.ndarray, "M P"],
) -> Float64[np.ndarray, " P"]:
    """The least share of the variance of `answers` that a ridge regression leaves."""
    values, vectors = np.linalg.eigh(features.T @ features)
    projected, turned = vectors.T @ (features.T @ y), judged @ vectors
    left = [
        ((answers - turned @ (projected / (values.clip(0) + ridge)[:, None])) ** 2).mean(0)
        for ridge in RIDGES
    ]
    return np.min(left, axis=0) / answers.var(0)
