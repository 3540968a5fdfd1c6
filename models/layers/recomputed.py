"""A network that keeps its inputs alone between the forward and the backward pass, also where
several copies are lifted.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call


class _Kept(Protocol):
    """What one call keeps for its gradient."""

    run: Callable[..., Tensor]
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _Recomputed(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(run: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        return run(*tensors)

    @staticmethod
    def setup_context(ctx: _Kept, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.run, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: _Kept, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        pullback: Callable[..., tuple[Tensor, ...]]
        _, pullback, *_ = torch.func.vjp(ctx.run, *ctx.saved_tensors)
        return None, *pullback(*gradients)


def recomputed(network: nn.Module, combine: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """network(combine(*inputs)), of which both are done again when the gradient is taken, so that
    nothing in between is kept.

    torch.utils.checkpoint does that too, but not under vmap. The network must do the same twice: no
    noise, no moving buffers.
    """
    names, parameters = zip(*network.named_parameters(), strict=True)
    device = inputs[0].device.type
    autocast = torch.autocast(
        device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    )

    def run(*tensors: Tensor) -> Tensor:
        values = dict(zip(names, tensors, strict=False))
        with autocast:
            return functional_call(network, values, combine(*tensors[len(names) :]))

    return _Recomputed.apply(run, *parameters, *inputs)
