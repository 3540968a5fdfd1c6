"""Spectral normalisation that can be lifted to several copies by torch.func."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ITERATIONS = 15
"""Of the power method, before the first step; each training step adds one."""


class SpectralNorm(nn.Module):
    """W / sigma(W), a parametrisation of a weight (out, in), by one step of the power method each
    time it is used in training.

    PyTorch's own writes into its buffers in a way that vmap refuses. Miyato et al. 2018,
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
