"""Convert the caller's rows to the flat batches that critics score.

B batch, N rows of a table, D features.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


def flat(name: str, rows: Tensor, size: int) -> Tensor:
    """Flatten rows (B, ...) to (B, D) in float32, where D = `size`; rows (B,) have one feature.

    Raises ValueError for another number of features.
    """
    found = rows
    if rows.ndim != 2:
        found = rows.unsqueeze(1) if rows.ndim == 1 else rows.flatten(1)
    if found.shape[1] != size:
        raise ValueError(
            f"{name} must have {size} numbers a row, got the shape {tuple(rows.shape)}"
        )
    return found.float()


def tensor(name: str, values: ArrayLike | Tensor) -> Tensor:
    """Convert an array (N, ...) to a detached tensor.

    Raises ValueError unless it is an array of real numbers.
    """
    if isinstance(values, Tensor):
        return values.detach()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise ValueError(
            f"{name} must hold rows of real numbers, got dtype {array.dtype} and shape"
            f" {array.shape}"
        )
    return torch.from_numpy(array.astype(np.float32))


def batches(
    total: int, size: int, steps: int, generator: torch.Generator | None
) -> Iterator[Tensor]:
    """Row indices of `steps` batches, from one random order of all rows after another."""
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(total, generator=generator)
        yield order[:size]
        order = order[size:]
