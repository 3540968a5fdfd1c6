"""Whether information grows with the number of rows, as where y is a function of x.

N rows, D columns.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from infobound.estimators.comparable import ranked
from infobound.estimators.gaussian import Canonical, canonical
from infobound.estimators.mixture_knn import MixtureKNN
from infobound.estimators.neighbours import reach
from infobound.runners.estimate.regression import determined

READ = MixtureKNN(k=3, scale=False)
LEAST = 100
"""Minimum number of rows that tell a rise from chance."""
ROWS, ROWS_OF_MORE = 10_000, 5_000
"""Maximum numbers of rows that are read, of one column a side and of more."""
FEW, MANY = 4, 10
"""Up to FEW columns, the rise is compared with how much closer neighbours come; above MANY, the
canonical variables alone are read.
"""
PER_COLUMN = 5
"""Minimum number of rows for each column of canonical variables that are not chance."""
RISE, MOST = 0.85, 1.5
"""Shares of log 2 between which a rise is one without limit. A larger one comes from repeated rows.
"""
DIGITS = 9
"""Decimal places of canonical variables; rounding errors would tell equal values apart."""


@dataclass(frozen=True)
class Growth:
    """Readings of nearest neighbours on N rows and on halves of them."""

    value: float
    """Nats."""
    half: float
    """Nats, the mean of both halves."""
    closer: float
    """Log of the factor by which neighbours come closer from a half to all rows, the mean over
    rows; 0 for rows with neighbours on top of them.
    """
    columns: int

    @property
    def unlimited(self) -> bool:
        """Whether the value seems to grow without limit.

        With twice the rows it grows by log 2 where x and y determine each other. Where the pairs
        lie on a surface of one dimension less than x and y have together, such as y = f(x_1, x_2),
        it grows by the logarithm of the factor by which neighbours come closer.
        """
        rise = self.value - self.half
        steep = self.columns <= FEW and rise >= self.closer > 0
        return (steep or rise >= RISE * math.log(2)) and rise <= MOST * math.log(2)


def saturation(x: Tensor, y: Tensor, *, independent: bool = True) -> str | None:
    """A warning if the information of rows x (N, dim_x), y (N, dim_y) may be infinite, or more than
    this number of rows can show; otherwise None.

    Nearest neighbours read all rows and both halves of them: the ranked columns, and the first
    pair of canonical variables, which finds linear dependence among many columns. A rise counts
    only if canonical correlations do not account for more than neighbours read. If rows are
    `independent`, a regression also looks for smooth functions of several columns. It takes a
    second or two.
    """
    columns = x.shape[1] + y.shape[1]
    most = ROWS if columns == 2 else ROWS_OF_MORE
    chosen = np.random.default_rng(0).permutation(len(x))[:most]
    if len(chosen) < LEAST:
        return None
    rows = [side.detach().cpu().double().numpy()[chosen] for side in (x, y)]
    ranks = [ranked(side) for side in rows]
    linear = 0.0
    found = list[Growth]()
    if columns * PER_COLUMN <= len(chosen):
        pairs = [canonical(*ranks), canonical(*rows)]
        found = [each for each in map(_of_first, pairs) if each.unlimited]
        linear = pairs[0].information
    if not found and columns <= MANY:
        grown = growth(*ranks)
        found = [grown] if grown.unlimited and grown.value > linear else []
    if not found:
        # Rows that follow one another are functions of each other by way of the time.
        return determined(*rows) if independent else None
    return (
        f"the truth may be infinite, as where y is a function of x: nearest neighbours read"
        f" {found[0].value:.2f} nats on {len(chosen)} rows and {found[0].half:.2f} on half of them,"
        " which grows with the logarithm of the number of rows"
    )


def growth(x: Float64[np.ndarray, "N D_x"], y: Float64[np.ndarray, "N D_y"]) -> Growth:
    """The readings of rows in random order, and of their halves."""
    middle = len(x) // 2
    halves = [(x[part], y[part]) for part in (slice(middle), slice(middle, None))]
    whole, *parts = [_read(*each) for each in ((x, y), *halves)]
    return Growth(
        whole[0],
        sum(value for value, _ in parts) / 2,
        sum(distance for _, distance in parts) / 2 - whole[1],
        x.shape[1] + y.shape[1],
    )


def _read(x: Float64[np.ndarray, "N D_x"], y: Float64[np.ndarray, "N D_y"]) -> tuple[float, float]:
    """The information in nats, and the mean logarithm of distances to neighbours that are not 0."""
    radius = reach(np.hstack([x, y]), READ.k)
    distance = float(np.log(np.where(radius > 0, radius, 1)).mean())
    return READ(torch.from_numpy(x), torch.from_numpy(y)).value, distance


def _of_first(pairs: Canonical) -> Growth:
    return growth(*(ranked(side[:, :1].round(DIGITS)) for side in (pairs.u, pairs.v)))
