"""Labels of rows that are sampled."""

import torch
from torch import Tensor


def drawn(size: int, share: float, generator: torch.Generator, label: int | None) -> Tensor:
    """(size,) int64, 1 with probability `share` and else 0, or all of them `label` where that is
    given.
    """
    if label is not None:
        return torch.full((size,), label, device=generator.device)
    return (torch.rand(size, generator=generator, device=generator.device) < share).long()
