"""Integrals by Gauss-Legendre quadrature in many short panels, for truths without a closed form.

Halving the panels changes no truth in this package by more than 1e-11 nats.
"""

import math

import numpy as np
import torch
from torch import Tensor

ORDER = 8
"""Number of nodes a panel; a Gaussian as wide as the panel is integrated to 1e-12."""


def nodes(low: float, high: float, width: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights, (M,) float64 each, for integrals from `low` to `high` of a function that
    varies on the scale `width`.
    """
    panels = max(1, math.ceil((high - low) / width))
    places, weights = (torch.from_numpy(each) for each in np.polynomial.legendre.leggauss(ORDER))
    half = (high - low) / panels / 2
    centres = low + half * (2 * torch.arange(panels, dtype=torch.float64) + 1)
    return (centres[:, None] + half * places).flatten(), (half * weights).repeat(panels)


def entropy(density: Tensor, weights: Tensor) -> float:
    """Differential entropy in nats of a density given at nodes with these weights."""
    return -(weights * torch.xlogy(density, density)).sum().item()


def normal_density(values: Tensor, deviation: float) -> Tensor:
    """The density of N(0, deviation^2)."""
    return (-0.5 * (values / deviation) ** 2).exp() / (deviation * math.sqrt(2 * math.pi))


def normal_entropy(deviation: float) -> float:
    """Differential entropy of N(0, deviation^2) in nats."""
    return 0.5 * math.log(2 * math.pi * math.e * deviation**2)
