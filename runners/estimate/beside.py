"""Cheap further estimates from finite rows, next to a critic's estimate; they are not held-out
bounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.interfaces import Rows
from infobound.estimators.base import SampleEstimate
from infobound.estimators.gaussian import Gaussian
from infobound.estimators.ksg import KSG
from infobound.estimators.mixture_knn import MixtureKNN
from infobound.estimators.rows import mean_of
from infobound.runners.estimate.row_order import one_of_each_unit, order_doubts
from infobound.runners.estimate.saturation import saturation
from infobound.runners.training.autocorrelation import memory_of
from infobound.runners.training.randomness import stream

ROWS = 10_000
"""Maximum number of rows that are read, drawn at random if there are more."""
DIMENSIONS = 10
"""Maximum total number of columns of x and y for nearest neighbours."""
NEIGHBOURS = 3
"""Number k of nearest neighbours."""


Found = TypeVar("Found")


class Terms(NamedTuple):
    """The terms of a reading, one for each of M rows."""

    rows: Tensor
    """(M,) the positions of the rows in the table."""
    nats: Tensor
    """(M,) float64, whose mean is the reading."""


@dataclass(frozen=True)
class Beside:
    """Further readings of a table's rows, None if they cannot be computed."""

    gaussian: SampleEstimate | None
    neighbours: SampleEstimate | None
    dims: tuple[int, int]
    """The numbers of columns of x and of y."""
    rows: float
    """The number of independent rows that the table is worth."""
    order: Sequence[str]
    """Warnings about rows that follow one another."""
    independent: bool
    """Whether rows are independent, so that neighbours are near by chance alone."""
    unlimited: str | None
    """A warning if the truth may be infinite."""
    terms: Terms | None = field(default=None, compare=False)
    """The terms of the reading by nearest neighbours."""

    @property
    def columns(self) -> int:
        """The number of columns of x and y together."""
        return sum(self.dims)

    @property
    def metrics(self) -> dict[str, float | None]:
        """The readings in nats, by their names in results."""
        found = {"mi_gaussian": self.gaussian, "mi_ksg": self.neighbours}
        return {name: None if each is None else each.value for name, each in found.items()}


def beside(rows: Rows, seed: int) -> Beside:
    """The readings of a table by canonical correlations and by nearest neighbours, and whether its
    information may be infinite. They read the first of the rows that stay in one split.
    """
    kept = one_of_each_unit(rows)
    series, order = memory_of(rows), order_doubts(rows)
    worth = len(kept) if series is None else series.effective
    if len(kept) > ROWS:
        source = torch.Generator().manual_seed(stream(seed, "beside"))
        kept = kept[torch.randperm(len(kept), generator=source)[:ROWS]]
    fit = getattr(transforms, rows.transform)
    x, y = (fit(side)(side[kept]) for side in (rows.x, rows.y))
    dims, independent = (x.shape[1], y.shape[1]), not order and series is None
    near = _read(by_neighbours, x, y) if sum(dims) <= DIMENSIONS else None
    return Beside(
        _read(Gaussian(unbiased=True), x, y),
        None if near is None else mean_of(near),
        dims,
        worth,
        order,
        independent,
        saturation(x, y, independent=independent),
        None if near is None else Terms(kept, torch.from_numpy(near)),
    )


def by_neighbours(x: Tensor, y: Tensor) -> Float64[np.ndarray, " N"]:
    """The terms of KSG, or of its version for mixtures if many rows tie; nats.

    Raises ValueError for rows that they cannot read.
    """
    ksg = KSG(k=NEIGHBOURS, version=1, lnc=None)
    return (MixtureKNN(k=NEIGHBOURS) if ksg.doubts(x, y) else ksg).terms(x, y)


def _read(estimator: Callable[[Tensor, Tensor], Found], x: Tensor, y: Tensor) -> Found | None:
    try:
        return estimator(x, y)
    except ValueError:  # too few rows, or one side determines the other linearly
        return None
