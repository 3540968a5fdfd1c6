"""Labels for sampled rows."""

import torch
from torch import Tensor


def drawn(size: int, share: float, generator: torch.Generator, label: int | None) -> Tensor:
    """Draw labels (size,) int64: 1 with probability `share`, otherwise 0; or all equal to `label`
    if it is given.
    """
    if label is not None:
        return torch.full((size,), label, device=generator.device)
    return (torch.rand(size, generator=generator, device=generator.device) < share).long()
