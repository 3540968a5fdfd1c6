"""Changes of each dimension that leave mutual information as it is; each is fitted on the training rows alone.

N rows, D dimensions. A function here takes the training rows (N, D) and returns what to do with any rows.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Transform = Literal["none", "standardise", "gaussian_ranks"]
Fitted = Callable[[Tensor], Tensor]


def none(train: Tensor) -> Fitted:
    """Leave the rows alone."""
    return lambda rows: rows


def standardise(train: Tensor) -> Fitted:
    """Mean 0 and standard deviation 1 in each dimension; a dimension that is constant in training is only shifted."""
    mean, deviation = train.mean(0), train.std(0, correction=0)
    varies = train.amax(0) > train.amin(0)  # the deviation of a constant need not be 0: its mean is rounded
    scale = deviation.where(varies, 1.0)
    return lambda rows: (rows - mean) / scale


def gaussian_ranks(train: Tensor) -> Fitted:
    """Each dimension's ranks among the training rows as quantiles of N(0, 1): every margin normal, and no outliers left.

    Rank r of N becomes the quantile r / (N + 1). Equal values share their mean rank, values between two training rows are
    interpolated, and values beyond all of them get rank 1/2 or N + 1/2.
    """
    ordered = train.T.sort(dim=1).values.contiguous()
    count = len(train)

    def transformed(rows: Tensor) -> Tensor:
        values = rows.T.contiguous()
        below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
        before = ordered.gather(1, (below - 1).clamp(min=0))
        after = ordered.gather(1, below.clamp(max=count - 1))
        inside = (below > 0) & (below < count)
        between = below + torch.where(inside, (values - before) / (after - before).where(after > before, 1), 0.5)
        ranks = torch.where(upto > below, (below + upto + 1) / 2, between)
        return torch.special.ndtri(ranks.double() / (count + 1)).to(rows.dtype).T.contiguous()

    return transformed
