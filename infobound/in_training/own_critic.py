"""Your own network as a critic.

B batch, D_x and D_y features.
"""

import inspect
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics.pairwise import Pairwise
from infobound.models.critics.scores import Scores, from_matrix

Dim = int | Sequence[int]
"""Number of features of a row, or its shape, such as (1, 28, 28) for an image."""


def features(name: str, dim: Dim) -> int:
    """The number of features of a row.

    Raises ValueError, naming the argument, unless they are positive integers.
    """
    sizes = [dim] if isinstance(dim, int) else [*dim]
    if not sizes or not all(isinstance(each, int) and each > 0 for each in sizes):
        raise SettingError(name, "must be a positive integer, or a shape of positive integers", dim)
    return math.prod(sizes)


class OwnCritic(nn.Module):
    """A critic that takes flat rows x (B, D_x) and y (B, D_y) in float32 and returns Scores.

    The network takes x and y and returns Scores, their two tensors, or a matrix (B, B) of f(x_i,
    y_j) for all pairs; or it takes [x, y] (N, D_x + D_y) and returns (N, 1). It gets rows in the
    precision of its own weights; a network of x and y gets them in the shapes `dim_x` and `dim_y`.
    """

    def __init__(self, network: nn.Module, dim_x: Dim, dim_y: Dim) -> None:
        super().__init__()
        joined = not _takes_two(network)
        self.network = Pairwise(network) if joined else network
        self._shapes = [
            (features("dim", dim),) if joined or isinstance(dim, int) else tuple(dim)
            for dim in (dim_x, dim_y)
        ]
        self.scores = getattr(network, "scores", "any")
        self._weights = list(network.parameters())[:1]

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        if self._weights and not torch.is_autocast_enabled(x.device.type):
            x, y = x.to(self._weights[0].dtype), y.to(self._weights[0].dtype)
        shape_x, shape_y = self._shapes
        found = self.network(
            x if len(shape_x) == 1 else x.unflatten(1, shape_x),
            y if len(shape_y) == 1 else y.unflatten(1, shape_y),
        )
        if isinstance(found, Scores):
            return found
        if isinstance(found, Tensor) and found.shape == (len(x), len(y)):
            return from_matrix(found)
        if isinstance(found, tuple) and len(found) == 2:
            return Scores(*found)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise SettingError(
            "critic",
            f"must return Scores, or all pairs as a matrix {(len(x), len(y))}",
            shape,
            "a network of torch.cat([x, y]) takes one argument and has one output",
        )


def own_critic(given: object, dim_x: Dim, dim_y: Dim) -> OwnCritic:
    """Return a network as it is, or call a function with the numbers of features to create one.

    Raises ValueError for anything else.
    """
    sizes = features("dim_x", dim_x), features("dim_y", dim_y)
    if isinstance(given, nn.Module):
        return OwnCritic(given, dim_x, dim_y)
    made = given(*sizes) if callable(given) else given
    if not isinstance(made, nn.Module):
        raise SettingError(
            "critic",
            "must be the name of a critic, a network, or a function that creates one from two"
            " numbers of features",
            type(made).__name__,
        )
    return OwnCritic(made, *sizes)


def _takes_two(network: nn.Module) -> bool:
    forward = getattr(network, "_orig_mod", network).forward  # the original of a compiled module
    try:
        inspect.signature(forward).bind(None, None)
    except TypeError:
        return False
    return True
