"""Canonical correlations of rows.

N rows, D_x and D_y features of x and y, P canonical pairs.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

STRONGEST = 0.9999
"""Upper limit for canonical correlations: its log-ratio is 4.3 nats, and that of 1 would be
infinite.
"""
FLAT = 1e-6
"""A direction whose variance is below this share of the largest is redundant and ignored."""

NOISE = 3.0
"""NOISE * D / N of the mean variance is added to every variance, so that directions that are poorly
determined by few rows are not scaled up.
"""


class Canonical(NamedTuple):
    """Projections of centred rows to uncorrelated coordinates of variance 1 (up to NOISE),
    correlated only in pairs, one of x and one of y.
    """

    to_x: Float[Tensor, "D_x D_x"]
    """Its columns are 0 for directions without variance."""
    to_y: Float[Tensor, "D_y D_y"]
    rho: Float[Tensor, " P"]
    """Canonical correlations in descending order."""


def canonical(x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> Canonical:
    """Canonical correlations of centred x and y, by one singular value
    decomposition.

    Hotelling 1936, https://doi.org/10.1093/biomet/28.3-4.321
    """
    rows = len(x)
    return of_scatter(x.T @ x / rows, y.T @ y / rows, x.T @ y / rows, rows)


def of_scatter(
    of_x: Float[Tensor, "D_x D_x"],
    of_y: Float[Tensor, "D_y D_y"],
    between: Float[Tensor, "D_x D_y"],
    rows: int,
) -> Canonical:
    """Canonical correlations from the scatter of x, of y and between both, estimated from `rows`
    rows.
    """
    white_x, white_y = _whitening(of_x, rows), _whitening(of_y, rows)
    left, rho, right = torch.linalg.svd(white_x.T @ between @ white_y, full_matrices=True)
    return Canonical(white_x @ left, white_y @ right.T, rho.clamp(max=STRONGEST))


def _whitening(scatter: Float[Tensor, "D D"], rows: int) -> Float[Tensor, "D D"]:
    variances, axes = torch.linalg.eigh(scatter)
    varied = variances > FLAT * variances[-1].clamp_min(torch.finfo(scatter.dtype).tiny)
    noise = NOISE * len(scatter) / rows * variances.mean()
    return axes * torch.where(varied, variances + noise, torch.inf).rsqrt()
