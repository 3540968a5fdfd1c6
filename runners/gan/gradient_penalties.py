"""Penalties on a discriminator's gradient, separately for each copy.

R copies, B batch; inputs (R, B, ...), scores (R, B) of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-12
"""Added to a squared length, because a square root has no derivative at 0."""


def r1(scores: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """E[|grad D|^2] / 2 at data, (R,).

    Mescheder et al. 2018, https://arxiv.org/abs/1801.04406
    """
    return _squared_lengths(scores, inputs).mean(1) / 2


def from_one(scores: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """E[(|grad D| - 1)^2] between data and samples, (R,).

    Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028
    """
    return ((_squared_lengths(scores, inputs) + TINY).sqrt() - 1).square().mean(1)


def between(real: Sequence[Tensor], fake: Sequence[Tensor], shares: Tensor) -> list[Tensor]:
    """Points at these shares (R, B) of the way from samples to data, which require gradients."""
    ways = [shares.view(*shares.shape, *(1 for _ in each.shape[2:])) for each in real]
    return [
        torch.lerp(begin, end, way).detach().requires_grad_()
        for begin, end, way in zip(fake, real, ways, strict=True)
    ]


def _squared_lengths(scores: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """Squared lengths (R, B) of the gradient by all inputs together."""
    gradients = torch.autograd.grad(scores.sum(), list(inputs), create_graph=True)
    return torch.stack([each.flatten(2).square().sum(2) for each in gradients]).sum(0)
