"""Values that tie: noise tells them apart, and a warning says that there are many.

N rows, D columns, k neighbours.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from infobound.estimators.rows import paired

JITTER = 1e-10
"""Noise that breaks ties without moving a point noticeably, in standard deviations of a column."""


def doubts_of_ties(x: Tensor, y: Tensor, k: int) -> Sequence[str]:
    """A warning if many rows of a column are equal, which makes their k neighbours chance."""
    tables = zip("xy", paired(x, y, 1), strict=True)
    sides = " and of ".join(side for side, rows in tables if tied(rows, k))
    if not sides:
        return []
    return [
        f"many rows are equal in a column of {sides}, and neighbours among them are chance, so"
        " the estimate may be far off; use estimator=mixture_knn"
    ]


def tied(table: Float64[np.ndarray, "N D"], k: int) -> bool:
    """Whether in some column a tenth of the rows or more equal more than k others."""
    return any(
        counts[counts > k + 1].sum() * 10 >= len(table)
        for counts in (np.unique(values, return_counts=True)[1] for values in table.T)
    )


def jittered(
    x: Float64[np.ndarray, "N D_x"], y: Float64[np.ndarray, "N D_y"]
) -> tuple[Float64[np.ndarray, "N D_x"], Float64[np.ndarray, "N D_y"]]:
    """Both tables with independent noise: shared noise would add information where both have ties.

    The noise of a table is drawn from a seed made of both tables, its own first. So it is no stream
    that a table itself may have been drawn from, and the estimate stays the same when x and y are
    swapped.
    """
    told = [np.ascontiguousarray(table).tobytes() for table in (x, y)]
    of_x = _seed(*told)
    of_y = _seed(*reversed(told)) if told[0] != told[1] else of_x + 1
    return _noisy(x, of_x), _noisy(y, of_y)


def _seed(own: bytes, other: bytes) -> int:
    digest = hashlib.blake2b(own, digest_size=16)
    digest.update(other)
    return int.from_bytes(digest.digest(), "big")


def _noisy(table: Float64[np.ndarray, "N D"], seed: int) -> Float64[np.ndarray, "N D"]:
    noise = np.random.default_rng(seed).standard_normal(table.shape)
    return table + JITTER * table.std(0) * noise
