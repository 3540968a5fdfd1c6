"""A network call that keeps only its inputs between the forward and the backward pass, also for
several lifted copies.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call


class _Kept(Protocol):
    """The state that one call keeps for its gradient."""

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
    """Compute network(combine(*inputs)), and compute it again for the gradient, so that no
    intermediate result is kept.

    torch.utils.checkpoint does this too, but not under vmap. Both computations must give the same
    result: no noise, no buffers that change.
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
