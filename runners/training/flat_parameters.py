"""All parameters of a network in one tensor, so that an optimiser's step costs one call and not one
a layer.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.errors import SettingError

MIXING = ("LBFGS", "Adafactor", "Muon")
"""Optimisers of PyTorch that look at several elements at once; in one vector they would mix layers,
and copies.
"""


def flattened(parameters: Iterable[Tensor]) -> nn.Parameter:
    """One vector that these leaf tensors, and their gradients, become views of: stepping it steps
    them all.

    It suits optimisers that treat every element by itself: see `elementwise`.
    """
    leaves = list(parameters)
    flat = nn.Parameter(
        torch.cat([leaf.detach().flatten() for leaf in leaves]) if leaves else torch.zeros(0)
    )
    flat.grad = torch.zeros_like(flat)
    for leaf, values, gradient in zip(
        leaves, views(flat.detach(), leaves), views(flat.grad, leaves), strict=True
    ):
        leaf.data, leaf.grad = values, gradient
    return flat


def views(flat: Tensor, like: Iterable[Tensor]) -> list[Tensor]:
    """The parts of a flat vector, shaped like the tensors that it was made of."""
    leaves = list(like)
    return [
        part.view_as(leaf)
        for part, leaf in zip(flat.split([leaf.numel() for leaf in leaves]), leaves, strict=True)
    ]


def elementwise(optimizer: Optimizer) -> Optimizer:
    """The optimiser itself.

    Raises ValueError if it is one that does not treat every element by itself, or that moves
    nothing.
    """
    if (name := type(optimizer).__name__) in MIXING:
        raise SettingError(
            "optimizer",
            f"must treat every parameter by itself, which {name} does not",
            remedy="use adam, adamw or sgd",
        )
    if optimizer.defaults.get("lr") == 0:
        raise SettingError("optimizer", "must have a learning rate above 0", 0)
    return optimizer
