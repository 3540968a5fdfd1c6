"""Series for tests."""

import torch
from scipy.signal import lfilter
from torch import Tensor

BEFORE = 1000
"""Number of steps before the first row, after which the beginning is forgotten."""


def autoregressive(rows: int, phi: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two independent series z_t = phi z_(t-1) + e_t of normal e, (rows, 1) each."""
    noise = torch.randn(2, BEFORE + rows, generator=torch.Generator().manual_seed(seed)).double()
    x, y = torch.from_numpy(lfilter([1.0], [1.0, -phi], noise.numpy()))[:, BEFORE:, None].float()
    return x, y
