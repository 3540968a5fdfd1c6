"""Functions for gamma variables that torch lacks: sampling from a given generator, and psi of a
number.
"""

import torch
from torch import Tensor


def standard_gamma(shape: float, size: int, generator: torch.Generator) -> Tensor:
    """Draw Gamma(shape, 1) variables (size, 1) float32 on the generator's device;
    torch.distributions accepts no generator.
    """
    shapes = torch.full((size, 1), shape, device=generator.device)
    return torch._standard_gamma(shapes, generator=generator)  # pyright: ignore[reportPrivateImportUsage]


def digamma(value: float) -> float:
    """The logarithmic derivative of the gamma function, in float64."""
    return torch.special.digamma(torch.tensor(value, dtype=torch.float64)).item()
