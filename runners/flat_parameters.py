"""All parameters of a network in one tensor, so that an optimiser's step costs one call and not one a layer."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def flattened(parameters: Iterable[Tensor]) -> nn.Parameter:
    """One vector that these leaf tensors, and their gradients, become views of: stepping it steps them all.

    It suits optimisers that treat every element by itself, as Adam, AdamW and SGD do.
    """
    leaves = list(parameters)
    flat = nn.Parameter(torch.cat([leaf.detach().flatten() for leaf in leaves]) if leaves else torch.zeros(0))
    flat.grad = torch.zeros_like(flat)
    for leaf, values, gradient in zip(leaves, views(flat.detach(), leaves), views(flat.grad, leaves), strict=True):
        leaf.data, leaf.grad = values, gradient
    return flat


def views(flat: Tensor, like: Iterable[Tensor]) -> list[Tensor]:
    """The parts of a flat vector, shaped like the tensors that it was made of."""
    leaves = list(like)
    return [part.view_as(leaf) for part, leaf in zip(flat.split([leaf.numel() for leaf in leaves]), leaves, strict=True)]
