"""The scores that a critic gives a batch of pairs, in the shapes used everywhere.

B batch, K product samples a row, D_x and D_y features; scores[i, j] = f(x_i, y_j): row i is x_i,
column j is y_j, and the diagonal holds the joint samples.
"""

from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Scores(NamedTuple):
    """A critic's scores of joint and product samples, without a unit."""

    joint: Float[Tensor, " B"]
    """f(x_i, y_i)."""
    product: Float[Tensor, "B K"]
    """product[i, k] = f(x_i, y_((i + k + 1) mod B)); K = B - 1 means all pairs."""


class Critic(Protocol):
    """Anything that turns x and y, paired by row, into scores."""

    def __call__(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"], /) -> Scores: ...


def from_matrix(matrix: Float[Tensor, "B M"]) -> Scores:
    """Scores of all pairs from the square matrix of f(x_i, y_j).

    Raises ValueError if x and y have different numbers of rows, or for a batch of one row, which
    has no product samples.
    """
    size = len(matrix)
    if matrix.shape[1] != size:
        raise ValueError(
            f"x and y must have the same number of rows, got {size} and {matrix.shape[1]}"
        )
    if size < 2:
        raise ValueError(
            f"all-pairs scores need a batch of at least 2 rows, got {size}; the other rows are the"
            " product samples"
        )
    return Scores(matrix.diagonal(), matrix.gather(1, _partners(size, matrix.device)))


@lru_cache(maxsize=4)
def _partners(size: int, device: torch.device) -> Int[Tensor, "B B-1"]:
    """Indices of partners: row i holds i + 1, i + 2, ... modulo B."""
    with torch.inference_mode(False):  # the cached tensor must also serve training
        rows = torch.arange(size, device=device)
        return (rows[:, None] + rows[1:]) % size


def scaled(scores: Scores, scale: Float[Tensor, ""] | float, uninformed: float = 0.0) -> Scores:
    """The scores of the same critic with less confidence: at scale 0 every score is `uninformed`,
    at scale 1 they are unchanged.
    """
    return Scores(*(values * scale + uninformed * (1 - scale) for values in scores))
