"""What the penalties of a classifier's dependence on pivots have in common: what they read, and how
strong they are.
"""

import math

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError

PAIR = ("logits", "pivot")
"""Logits (B, C - 1) against class 0, and pivots (B, P), categories as one-hot rows, all of mean 0
and deviation 1.
"""


def strength(lam: float) -> float:
    """lam.

    Raises ValueError unless it is finite and not negative.
    """
    if not 0 <= lam < math.inf:
        raise SettingError("lam", "must be 0 or more and finite", lam)
    return lam


def squared_distances(x: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """Of all pairs of rows."""
    return (x[:, None] - x).square().sum(-1)


def centred(matrix: Float[Tensor, "B B"]) -> Float[Tensor, "B B"]:
    """The matrix whose rows and columns have mean 0."""
    return matrix - matrix.mean(0) - matrix.mean(1, keepdim=True) + matrix.mean()
