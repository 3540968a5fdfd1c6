"""Scores that are sums over pairs of columns.

B batch, D_x and D_y columns of x and y, K cosines of a column.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDEST = 25
"""Maximum number of columns of a side."""
LEAST = 4
"""Minimum number of training rows for each cosine of x and y."""
RANK = 32
"""Rank of the matrix of all products of a cosine of x and one of y."""
USUAL = 1.25
"""Initial scores are this times `begin` times those of layers with their usual weights."""


class ColumnPairs(nn.Module):
    """f(x, y) = sum over columns i of x and j of y of a function of x_i and y_j, all pairs of rows
    by one matrix product.

    The functions are sums of products of cosines cos(pi k F) / k, k = 1 to `waves`, of the normal
    probabilities F of both columns, an orthogonal series of a copula's log-density. Noise with
    sharp edges in each of several columns has such a log-ratio, which a network of all columns
    learns badly. Columns should have normal margins.
    """

    orders: Float[Tensor, " K"]
    used: Float[Tensor, ""]

    def __init__(self, dim_x: int, dim_y: int, waves: int, begin: float) -> None:
        super().__init__()
        self.x, self.y = (nn.Linear(dim * waves, RANK, bias=False) for dim in (dim_x, dim_y))
        with torch.no_grad():
            for side in (self.x, self.y):
                side.weight.mul_(math.sqrt(USUAL * begin))
        self.register_buffer("orders", torch.arange(1.0, waves + 1))
        self.register_buffer("used", torch.ones(()))

    def use(self, fitting: bool, rows: int) -> None:
        """Give scores of 0 if they do not fit, or if there are few training rows for them."""
        cosines = self.x.in_features + self.y.in_features
        self.used.fill_(float(fitting and cosines * LEAST <= rows))

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Float[Tensor, "B B"]:
        return (self.used * self.x(self._cosines(x))) @ self.y(self._cosines(y)).mT

    def _cosines(self, rows: Float[Tensor, "B D"]) -> Float[Tensor, "B DK"]:
        probability = torch.special.ndtr(rows).unsqueeze(-1)
        return (torch.cos(math.pi * self.orders * probability) / self.orders).flatten(-2)


def column_pairs(dim_x: int, dim_y: int, waves: int, begin: float) -> ColumnPairs | None:
    """Scores of column pairs; None for a single pair, too many columns or no cosines."""
    if waves == 0 or not 1 < max(dim_x, dim_y) <= WIDEST:
        return None
    return ColumnPairs(dim_x, dim_y, waves, begin)
