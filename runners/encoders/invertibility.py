"""How far an encoder is from losing what it was shown.

B rows, D inputs.
"""

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from infobound.models.encoders.networks import Invertible

CHUNK = 16
"""Jacobians that are computed at a time."""
BLOCK = 4096
"""Rows that are encoded at a time."""


def log_conditions(encoder: nn.Module, x: Tensor) -> Tensor:
    """(B,) log of the condition number of the encoder's Jacobian at each row of x (B, D), log
    sigma_max - log sigma_min.

    Nothing above -log of the precision can be told from a singular Jacobian (15.9 in float32), so
    it is what they read.
    """
    jacobians = vmap(jacrev(lambda row: encoder(row[None])[0]), chunk_size=CHUNK)(x).detach()
    singular = torch.linalg.svdvals(jacobians)
    precision = torch.finfo(singular.dtype)
    largest = singular[:, 0].clamp_min(precision.tiny)
    return largest.log() - singular[:, -1].clamp_min(precision.eps * largest).log()


@torch.no_grad()
def reconstruction_error(encoder: Invertible, x: Tensor, z: Tensor) -> float:
    """The largest absolute difference of any number of x (B, D) from what the inverse makes of its
    representation z.
    """
    return max(
        float((encoder.inverse(part) - of).abs().max())
        for of, part in zip(x.split(BLOCK), z.split(BLOCK), strict=True)
    )


@torch.no_grad()
def encoded(encoder: nn.Module, x: Tensor) -> Tensor:
    """The representations of x (B, D)."""
    return torch.cat([encoder(part) for part in x.split(BLOCK)])
