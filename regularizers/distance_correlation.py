"""Distance correlation of the logits and the pivot.

B batch, D and E features.
"""

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor

from infobound.regularizers import of_pivot
from infobound.regularizers.base import Penalty, Terms, required

FLOOR = 1e-12
"""Of squares, at whose root the gradient would be infinite."""


@final
class DistanceCorrelation(Penalty):
    """dCorr^2 = dCov^2(x, y) / sqrt(dCov^2(x, x) dCov^2(y, y)) of logits x and pivots y, between 0
    and 1.

    dCov^2 is the mean product of the distances within a batch, centred by rows and columns; it is 0
    for independent samples alone, but for 1/B of chance, and does not depend on scale. It costs B^2
    distances.

    Székely et al. 2007, https://arxiv.org/abs/0803.4101; Kasieczka and Shih 2020,
    https://arxiv.org/abs/2001.05310

    Raises ValueError for `lam` below 0.
    """

    quantity = "distance_correlation"

    def __init__(self, rows: Mapping[str, Tensor], *, lam: float, warmup: int) -> None:
        nothing = partial(torch.optim.SGD, lr=0.0)
        super().__init__(of_pivot.PAIR, of_pivot.strength(lam), nothing, 1, None, False, warmup)
        required(rows, self.requires)

    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        correlation = squared_correlation(*(exposed[name] for name in self.requires))
        return Terms(of_pivot.no_networks(correlation), correlation, correlation.detach())


def squared_correlation(x: Tensor, y: Tensor) -> Tensor:
    """() dCorr^2 of x (B, D) and y (B, E), 0 where either never varies."""
    of_x, of_y = of_pivot.centred(distances(x)), of_pivot.centred(distances(y))
    scale = of_x.square().mean() * of_y.square().mean()
    return (of_x * of_y).mean() / (scale + FLOOR).sqrt()


def distances(x: Tensor) -> Tensor:
    """(B, B) of x (B, D)."""
    return (of_pivot.squared_distances(x) + FLOOR).sqrt()
