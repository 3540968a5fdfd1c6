"""Adaptive gradient clipping in a training loop of your own."""

from collections.abc import Iterable

import torch
from torch import Tensor

from infobound.runners.training import adaptive_clipping


def clipped(loss: Tensor, penalty: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """Return loss + c penalty with c = min(1, |grad loss| / |grad penalty|), so that the penalty's
    gradient is never larger than the loss's.

        total = ib.clipped(task_loss, -beta * mi(z, g), generator.parameters())
        total.backward()

    `loss`, `penalty` and the result are scalars. The result's `backward` works like that of any
    loss: c is a constant, and tensors that are not among `parameters` get their gradients too. Both
    norms are over all `parameters` together. It costs one more backward pass for each term. In
    distributed training, each process clips by its own batch.

    Belghazi et al. 2018, section 5.1 and appendix, https://arxiv.org/abs/1801.04062

    Raises ValueError if a term is not a scalar, or depends on none of the parameters.
    """
    listed = [each for each in parameters if each.requires_grad]
    beside = _gradient("loss", loss, listed)
    share = adaptive_clipping.share(_gradient("penalty", penalty, listed), beside)[0]
    return loss + share * penalty


def _gradient(name: str, term: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """The gradient (1, N) of each parameter that the term depends on."""
    if term.numel() != 1:
        raise ValueError(f"{name} must be a scalar, got the shape {tuple(term.shape)}")
    found = (None,)
    if term.requires_grad and parameters:
        found = torch.autograd.grad(term.sum(), parameters, retain_graph=True, allow_unused=True)
    gradient = [each.detach().reshape(1, -1) for each in found if each is not None]
    if not gradient:
        raise ValueError(
            f"{name} must depend on one of the parameters, got none that does; it may have been"
            " detached, or the parameters may be those of another module"
        )
    return gradient
