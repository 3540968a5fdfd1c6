"""Standardised rows, as the first layer of a network."""

import torch
from torch import Tensor, nn


class Standardised(nn.Module):
    """Standardises every column of x (..., D) with the mean and deviation of rows (N, D); constant
    columns are only centred.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        deviation = rows.std(0, correction=0)
        self.register_buffer("mean", rows.mean(0))
        self.register_buffer("scale", torch.where(rows.amax(0) > rows.amin(0), deviation, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.scale).float()
