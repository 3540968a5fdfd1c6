"""Batch normalisation for reading: the running averages from training lag behind the weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm


@torch.no_grad()
def estimate_anew(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the averages of a module's batch norms to those over the given batches, which are run
    once if there is such a layer.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain average over batches
        layer.train()
    for batch in batches:
        module(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
