"""The common part of penalties on a classifier's dependence on pivots: the tensors that they read,
their strength, and the settings of those with their own networks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from infobound.errors import SettingError

PAIR = ("logits", "pivot")
"""Logits (B, C - 1) relative to class 0, and standardised pivots (B, P) with categories as one-hot
rows.
"""


def strength(lam: float) -> float:
    """Return `lam` after checking it.

    Raises ValueError unless it is finite and not negative.
    """
    if not 0 <= lam < math.inf:
        raise SettingError("lam", "must be 0 or more and finite", lam)
    return lam


@dataclass(frozen=True, kw_only=True)
class Game:
    """Settings of the game between a classifier and the networks of its penalty. In YAML these are
    keys of the penalty's own node.

    `lam` is the strength, which rises over `warmup` steps; `optimizer` trains the penalty's
    networks `critic_steps` times for each step of the classifier.

    Raises ValueError for `lam` below 0.
    """

    flat: ClassVar[bool] = True
    optimizer: Callable[[list[Tensor]], Optimizer] = partial(torch.optim.Adam, lr=1e-3)
    lam: float = 1.0
    warmup: int = 0
    critic_steps: int = 4

    def __post_init__(self) -> None:
        strength(self.lam)


def squared_distances(x: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """Squared distances of all pairs of rows."""
    return (x[:, None] - x).square().sum(-1)


def centred(matrix: Float[Tensor, "B B"]) -> Float[Tensor, "B B"]:
    """The matrix, centred so that rows and columns have mean 0."""
    return matrix - matrix.mean(0) - matrix.mean(1, keepdim=True) + matrix.mean()
