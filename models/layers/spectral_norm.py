"""Spectral normalisation that can be lifted to several copies by torch.func."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ITERATIONS = 15
"""Iterations of the power method before the first step; each training step adds one."""


class SpectralNorm(nn.Module):
    """Parametrises a weight (out, in) as W / sigma(W), with one step of the power method at each
    use in training.

    PyTorch's own implementation changes its buffers in a way that vmap refuses. Miyato et al. 2018,
    https://arxiv.org/abs/1802.05957
    """

    left: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("left", F.normalize(torch.randn(weight.shape[0]), dim=0))
        for _ in range(ITERATIONS):
            self.forward(weight)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            right = F.normalize(weight.mT @ self.left, dim=0)
            left = F.normalize(weight @ right, dim=0)
            if self.training:
                self.left.copy_(left)
        return weight / (left @ (weight @ right))
