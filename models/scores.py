"""Scores, what a critic makes of a batch of pairs, and the shape that they have everywhere.

B batch, K product samples a row; scores[i, j] = f(x_i, y_j): rows x, columns y, diagonal joint.
"""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Scores(NamedTuple):
    """A critic's values on joint and on product samples, pure numbers without a unit."""

    joint: Tensor
    """(B,) f(x_i, y_i)."""
    product: Tensor
    """(B, K) product[i, k] = f(x_i, y_((i + k + 1) mod B)); K = B - 1 is all pairs."""


class Critic(Protocol):
    """Anything that turns x (B, dim_x) and y (B, dim_y), paired by row, into scores."""

    def __call__(self, x: Tensor, y: Tensor, /) -> Scores: ...


def from_matrix(matrix: Tensor) -> Scores:
    """Scores of all pairs from the square matrix (B, B) of f(x_i, y_j).

    Row i is rolled left by i, so that its joint score comes first. Appending each row to itself and reading the result with
    rows one entry longer does this to every row at once, without an index.

    Raises ValueError for a batch of one row, which has no product samples.
    """
    size = matrix.shape[-1]
    if size < 2:
        raise ValueError(
            f"all-pairs scores need a batch of at least 2 rows, got {size}: the product samples are its other rows"
        )
    twice = torch.cat([matrix, matrix[:, :-1]], dim=1).flatten()
    rolled = F.pad(twice, (0, size)).view(size, 2 * size)
    return Scores(rolled[:, 0], rolled[:, 1:size])
