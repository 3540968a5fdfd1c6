"""How much rows that follow one another resemble their neighbours, and how many independent rows
they are worth.

N rows, D columns, F features, L lags.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from torch import Tensor

from infobound.datasets.interfaces import Rows
from infobound.runners.training.readings import Error

COLUMNS = 20
"""Maximum number of columns of a side that are looked at, evenly spaced."""
LOOKED_AT = 100_000
"""Maximum number of rows that are looked at, the first ones."""
LAGS = 0.2
"""Longest lag as a share of the rows (Pyper and Peterman 1998)."""
NOISE = 3.0
"""Standard deviations of independent rows' autocorrelations up to which one counts as 0, if the
rows are known to follow one another.
"""
FALSE_ALARM = 0.001
"""Probability that independent rows count as alike."""
MATERIAL = 0.8
"""Share of effective rows below which rows are alike: an error that takes them for independent is
then too small by more than a tenth.
"""
PEAKED = 0.1
"""Maximum squared kurtosis of a feature as a share of the rows: the autocorrelations of a rare
category are far from normal.
"""


class Memory(NamedTuple):
    """The number of rows, and the number of independent rows that they are worth for a statistic of
    x and y together.
    """

    rows: int
    effective: float

    @property
    def gap(self) -> int:
        """The number of rows after which little is remembered: an exponential decay falls to 5 %
        after three times its sum over all lags.
        """
        return math.ceil(1.5 * (self.rows / self.effective - 1))

    def widened(self, error: Error) -> Error:
        """The standard error of as many independent rows, for one that takes all rows for
        independent.
        """
        freedom = max(1, min(error.freedom, round(self.effective) - 1))
        return error._replace(
            value=error.value * math.sqrt(self.rows / self.effective), freedom=freedom
        )


def memory_of(rows: Rows) -> Memory | None:
    """The memory of a table, None if the order of its rows means nothing."""
    return memory(rows.x, rows.y) if rows.about.order == "time" else None


def alike(x: Tensor, y: Tensor) -> Memory | None:
    """The memory of rows x (N, D_x) and y (N, D_y) that are not known to follow one another; None
    if they can be independent.
    """
    found = memory(x, y, false_alarm=FALSE_ALARM)
    return None if found.effective >= MATERIAL * found.rows else found


def memory(x: Tensor, y: Tensor, *, false_alarm: float | None = None) -> Memory:
    """N / (1 + 2 sum_k (1 - k / N) r_x(k) r_y(k)) effective rows of x (N, D_x) and y (N, D_y), at
    most N, for the columns of x and y for which they are fewest.

    r(k) is the autocorrelation at lag k of a column's ranks, or of their distances from the middle,
    which shows a changing spread. It counts as 0 within NOISE of its standard deviation for
    independent rows. With `false_alarm` it counts as 0 up to a limit that independent rows exceed
    anywhere with that probability, so that the result is then N.

    Pyper and Peterman 1998, https://doi.org/10.1139/f98-104
    """
    of_x, of_y = (_features(side[:LOOKED_AT]) for side in (x, y))
    total = of_x.shape[1]
    lags = int(LAGS * total)
    comparisons = 2 * max(1, lags * max(len(of_x), len(of_y)))
    limit = NOISE if false_alarm is None else float(norm.isf(false_alarm / comparisons))
    r_x, r_y = (_autocorrelations(each, lags, limit / math.sqrt(total)) for each in (of_x, of_y))
    sums = (r_x * (1 - np.arange(1, lags + 1) / total)) @ r_y.T
    return Memory(len(x), len(x) / (1 + 2 * float(sums.max(initial=0.0))))


def _features(table: Tensor) -> NDArray[np.float64]:
    """Centred ranks of columns and their centred distances from 0 (F, N), without those that vary
    too rarely.
    """
    columns = table[:, :: -(-table.shape[1] // COLUMNS)].detach().cpu().double().numpy()
    ranks = _centred(rankdata(columns, axis=0).T)
    features = np.vstack([ranks, _centred(np.abs(ranks))])
    squares = features**2
    variances, fourths = squares.mean(1), (squares**2).mean(1)
    return features[(variances > 0) & (fourths**2 <= PEAKED * len(table) * variances**4)]


def _centred(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return features - features.mean(1, keepdims=True)


def _autocorrelations(
    features: NDArray[np.float64], lags: int, limit: float
) -> NDArray[np.float64]:
    """The autocorrelations of features (F, N) at lags 1 to L, (F, L), 0 if within the limit."""
    size = 2 ** (features.shape[1] + lags).bit_length()  # a circle without wrapping around
    spectrum = np.abs(np.fft.rfft(features, size)) ** 2
    covariances = np.fft.irfft(spectrum, size)[:, : lags + 1]
    found = covariances[:, 1:] / covariances[:, :1]
    return np.where(np.abs(found) > limit, found, 0.0)
