"""Adaptive gradient clipping: the gradient of a regularizer is never larger than that of the loss
it regularises.

R copies; a gradient is a list of parts (R, N), one for each parameter.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def share(gradient: Sequence[Tensor], beside: Sequence[Tensor]) -> Tensor:
    """The factor c = min(|g|, |b|) / |g|, (R,), of gradients g and b over all parameters of a copy;
    1 if g is 0.

    Belghazi et al. 2018, section 5.1 and appendix, https://arxiv.org/abs/1801.04062
    """
    length, most = _lengths(gradient), _lengths(beside)
    return torch.where(length > most, most / length, 1.0)


def _lengths(gradient: Sequence[Tensor]) -> Tensor:
    """Lengths (R,) of a gradient."""
    return (
        torch.stack([torch.linalg.vector_norm(part, dim=1) for part in gradient])
        .square()
        .sum(0)
        .sqrt()
    )
