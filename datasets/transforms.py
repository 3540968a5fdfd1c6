"""Transforms of a side that do not change mutual information; each is fitted only on the training
rows.

N rows, D dimensions. A function here takes the training rows (N, D) and returns a transform for any
rows. The transform's state is its tensors: `restored` creates it again from them.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from infobound.datasets.unmixing import unmixing
from infobound.errors import SettingError

KEPT = 2**17
"""Maximum number of training values of a dimension that ranks are among, and a checkpoint holds; of
more, evenly spaced ones in the sorted order.
"""
Transform = Literal["none", "standardise", "gaussian_ranks", "unmixed_ranks"]


class Unchanged(NamedTuple):
    """Leaves rows unchanged."""

    def __call__(self, rows: Tensor) -> Tensor:
        return rows.float()


class Standardised(NamedTuple):
    """Subtracts a mean (D,) from rows and divides them by a scale (D,)."""

    mean: Tensor
    scale: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        return ((rows - self.mean) / self.scale).float()


class GaussianRanks(NamedTuple):
    """Replaces values by the normal quantiles of their ranks among `ordered` (D, N), sorted
    training values of each dimension.
    """

    ordered: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        count = self.ordered.shape[1]
        values = rows.T.to(self.ordered.dtype).contiguous()
        below = torch.searchsorted(self.ordered, values)
        place = below.clamp(max=count - 1)
        before = self.ordered.gather(1, (below - 1).clamp(min=0))
        after = self.ordered.gather(1, place)
        upto = torch.searchsorted(self.ordered, self.ordered, right=True).gather(1, place)
        inside = (below > 0) & (below < count)
        between = below + torch.where(
            inside, (values - before) / (after - before).where(after > before, 1), 0.5
        )
        ranks = torch.where(values == after, (below + upto + 1) / 2, between)
        return torch.special.ndtri(ranks.double() / (count + 1)).float().T.contiguous()


class UnmixedRanks(NamedTuple):
    """Replaces (rows - centre) @ matrix by normal quantiles of their ranks, as GaussianRanks do."""

    ordered: Tensor
    centre: Tensor
    matrix: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        return GaussianRanks(self.ordered)((rows.double() - self.centre) @ self.matrix)


Fitted = Unchanged | Standardised | GaussianRanks | UnmixedRanks


def none(train: Tensor) -> Unchanged:
    """Leave the rows unchanged.

    Raises ValueError for float64 rows, whose variation float32 would round away.
    """
    if train.dtype == torch.float64:
        raise SettingError(
            "transform",
            "must centre columns whose spread is small compared with their values",
            "none",
            "use dataset.transform=standardise or gaussian_ranks, or subtract a constant",
        )
    return Unchanged()


def standardise(train: Tensor) -> Standardised:
    """Mean 0 and standard deviation 1 in each dimension; a dimension that is constant in training
    is only shifted.
    """
    mean, deviation = train.mean(0), train.std(0, correction=0)
    varies = train.amax(0) > train.amin(
        0
    )  # a constant's deviation may be above 0, because its mean is rounded
    return Standardised(mean, deviation.where(varies, 1.0))


def gaussian_ranks(train: Tensor) -> GaussianRanks:
    """Replace each value by the quantile of N(0, 1) of its rank among the training rows, which
    makes every margin normal and removes outliers.

    Rank r of N becomes the quantile r / (N + 1). Equal values share their mean rank, values between
    two training values are interpolated, and values outside their range get rank 1/2 or N + 1/2.
    With more than KEPT training rows, N is KEPT: the ranks are those among evenly spaced quantiles
    of the rows, from the smallest to the largest value.
    """
    ordered = torch.from_numpy(np.sort(train.T.cpu().numpy(), axis=1))  # ten times torch's speed
    if (last := len(train) - 1) >= KEPT:
        ordered = ordered[:, torch.arange(KEPT) * last // (KEPT - 1)]
    return GaussianRanks(ordered.contiguous().to(train.device))


def unmixed_ranks(train: Tensor) -> GaussianRanks | UnmixedRanks:
    """Gaussian ranks of columns of which pairs that are mixtures of two independent columns were
    turned back into those.

    Ranks of a mixture would hide edges of its parts. Where there are none, this is
    `gaussian_ranks`.
    """
    found = unmixing(train)
    if found is None:
        return gaussian_ranks(train)
    centre, matrix = (each.to(train.device) for each in found)
    turned = (train.double() - centre) @ matrix
    return UnmixedRanks(gaussian_ranks(turned).ordered, centre, matrix)


def restored(state: Mapping[str, Tensor]) -> Fitted:
    """The fitted transform with these fields."""
    [kind] = [
        each
        for each in (Unchanged, Standardised, GaussianRanks, UnmixedRanks)
        if each._fields == tuple(state)
    ]
    return kind(**state)
