"""All parameters of a network in one tensor, so that an optimiser's step costs one call instead of
one for each layer.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.errors import SettingError

MIXING = ("LBFGS", "Adafactor", "Muon")
"""Optimisers of PyTorch that combine several elements; in one vector they would mix layers and
copies.
"""


def flattened(parameters: Iterable[Tensor]) -> nn.Parameter:
    """Turn these leaf tensors and their gradients into views of one vector, so that one step
    updates them all.

    It works with optimisers that treat every element separately: see `elementwise`.
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
    """The parts of a flat vector, with the shapes of the original tensors."""
    leaves = list(like)
    return [
        part.view_as(leaf)
        for part, leaf in zip(flat.split([leaf.numel() for leaf in leaves]), leaves, strict=True)
    ]


def elementwise(optimizer: Optimizer) -> Optimizer:
    """Return the optimiser after checking it.

    Raises ValueError if it does not treat every element separately, or if its learning rate is 0.
    """
    if (name := type(optimizer).__name__) in MIXING:
        raise SettingError(
            "optimizer",
            f"must treat every parameter separately, which {name} does not",
            remedy="use adam, adamw or sgd",
        )
    if optimizer.defaults.get("lr") == 0:
        raise SettingError("optimizer", "must have a learning rate above 0", 0)
    return optimizer
