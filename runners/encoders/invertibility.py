"""The invertibility of an encoder: condition numbers of its Jacobian, and reconstruction errors.

B rows, D inputs.
"""

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from infobound.models.encoders.networks import Invertible

CHUNK = 16
"""Number of Jacobians that are computed at a time."""
BLOCK = 4096
"""Number of rows that are encoded at a time."""


def log_conditions(encoder: nn.Module, x: Tensor) -> Tensor:
    """The log condition number (B,) of the encoder's Jacobian at each row of x (B, D), log
    sigma_max - log sigma_min.

    It is limited to -log of the precision (15.9 in float32), above which a Jacobian cannot be
    distinguished from a singular one.
    """
    jacobians = vmap(jacrev(lambda row: encoder(row[None])[0]), chunk_size=CHUNK)(x).detach()
    singular = torch.linalg.svdvals(jacobians)
    precision = torch.finfo(singular.dtype)
    largest = singular[:, 0].clamp_min(precision.tiny)
    return largest.log() - singular[:, -1].clamp_min(precision.eps * largest).log()


@torch.no_grad()
def reconstruction_error(encoder: Invertible, x: Tensor, z: Tensor) -> float:
    """The largest absolute difference between x (B, D) and its reconstruction from the
    representation by the inverse.
    """
    return max(
        float((encoder.inverse(part) - of).abs().max())
        for of, part in zip(x.split(BLOCK), z.split(BLOCK), strict=True)
    )


@torch.no_grad()
def encoded(encoder: nn.Module, x: Tensor) -> Tensor:
    """Encode x (B, D) in blocks."""
    return torch.cat([encoder(part) for part in x.split(BLOCK)])
