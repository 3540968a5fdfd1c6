"""Changes of each dimension that leave mutual information as it is; each is fitted on the training
rows alone.

N rows, D dimensions. A function here takes the training rows (N, D) and returns what to do with any
rows, whose state is its tensors: `restored` makes it anew from its fields.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Transform = Literal["none", "standardise", "gaussian_ranks"]


class Unchanged(NamedTuple):
    """Rows as they are."""

    def __call__(self, rows: Tensor) -> Tensor:
        return rows


class Standardised(NamedTuple):
    """Rows less a mean (D,), over a scale (D,)."""

    mean: Tensor
    scale: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        return (rows - self.mean) / self.scale


class GaussianRanks(NamedTuple):
    """Rows as normal quantiles of their ranks among `ordered` (D, N), the training values of each
    dimension in order.
    """

    ordered: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        count = self.ordered.shape[1]
        values = rows.T.contiguous()
        below, upto = (
            torch.searchsorted(self.ordered, values, right=right) for right in (False, True)
        )
        before = self.ordered.gather(1, (below - 1).clamp(min=0))
        after = self.ordered.gather(1, below.clamp(max=count - 1))
        inside = (below > 0) & (below < count)
        between = below + torch.where(
            inside, (values - before) / (after - before).where(after > before, 1), 0.5
        )
        ranks = torch.where(upto > below, (below + upto + 1) / 2, between)
        return torch.special.ndtri(ranks.double() / (count + 1)).to(rows.dtype).T.contiguous()


Fitted = Unchanged | Standardised | GaussianRanks


def none(train: Tensor) -> Unchanged:
    """Leave the rows alone."""
    return Unchanged()


def standardise(train: Tensor) -> Standardised:
    """Mean 0 and standard deviation 1 in each dimension; a dimension that is constant in training
    is only shifted.
    """
    mean, deviation = train.mean(0), train.std(0, correction=0)
    varies = train.amax(0) > train.amin(
        0
    )  # the deviation of a constant need not be 0: its mean is rounded
    return Standardised(mean, deviation.where(varies, 1.0))


def gaussian_ranks(train: Tensor) -> GaussianRanks:
    """Each dimension's ranks among the training rows as quantiles of N(0, 1): every margin normal,
    and no outliers left.

    Rank r of N becomes the quantile r / (N + 1). Equal values share their mean rank, values between
    two training rows are interpolated, and values beyond all of them get rank 1/2 or N + 1/2.
    """
    return GaussianRanks(train.T.sort(dim=1).values.contiguous())


def restored(state: Mapping[str, Tensor]) -> Fitted:
    """The fitted change whose fields these are."""
    [kind] = [
        each for each in (Unchanged, Standardised, GaussianRanks) if each._fields == tuple(state)
    ]
    return kind(**state)
