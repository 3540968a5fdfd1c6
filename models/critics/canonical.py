"""Canonical correlations of rows, and a choice of those that hold on held-out rows.

N and M rows, D_x and D_y features of x and y, P canonical pairs.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

STRONGEST = 0.9999
"""Upper limit for canonical correlations: its log-ratio is 4.3 nats, and that of 1 would be
infinite.
"""
SHRINKAGES = (1.0, 0.95, 0.9, 0.8, 0.6)
PARTNERS = 20
"""Product samples for each of the held-back rows that choose pairs and shrinkage."""
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
    white_x, white_y = _whitening(x), _whitening(y)
    left, rho, right = torch.linalg.svd(
        white_x.T @ (x.T @ y) @ white_y / len(x), full_matrices=True
    )
    return Canonical(white_x @ left, white_y @ right.T, rho.clamp(max=STRONGEST))


def _whitening(rows: Float[Tensor, "N D"]) -> Float[Tensor, "D D"]:
    variances, axes = torch.linalg.eigh(rows.T @ rows / len(rows))
    varied = variances > FLAT * variances[-1].clamp_min(torch.finfo(rows.dtype).tiny)
    noise = NOISE * rows.shape[1] / len(rows) * variances.mean()
    return axes * torch.where(varied, variances + noise, torch.inf).rsqrt()


def trusted(
    x: Float[Tensor, "N D_x"],
    y: Float[Tensor, "N D_y"],
    held_x: Float[Tensor, "M D_x"],
    held_y: Float[Tensor, "M D_y"],
    clip: float,
) -> Float[Tensor, " P"]:
    """Factors for the canonical correlations: a shrinkage for the first pairs and 0 for the others.

    The choice maximises the bound on the held-back rows, with correlations fitted to the other
    rows.
    """
    to_x, to_y, rho = canonical(x - x.mean(0), y - y.mean(0))
    pairs = len(rho)
    u = ((held_x - x.mean(0)) @ to_x[:, :pairs]).clamp(-clip, clip)
    v = ((held_y - y.mean(0)) @ to_y[:, :pairs]).clamp(-clip, clip)
    best, kept = 0.0, torch.zeros_like(rho)
    for shrinkage in SHRINKAGES:
        bounds = _by_pairs(u, v, shrinkage * rho)
        value, count = bounds.max(0)
        if value > best:
            believed = torch.arange(pairs, device=rho.device) <= count
            best, kept = float(value), torch.where(believed, shrinkage, 0.0).to(rho.dtype)
    return kept


def _by_pairs(
    u: Float[Tensor, "M P"], v: Float[Tensor, "M P"], rho: Float[Tensor, " P"]
) -> Float[Tensor, " P"]:
    """The Donsker-Varadhan bound on rows u, v from the first 1, 2, ..., P pairs."""
    precision = 1 / (1 - rho.square())
    partners = min(PARTNERS, len(u) - 1)
    if partners < 1:
        return torch.zeros_like(rho)
    rolled = torch.stack([v.roll(-shift, 0) for shift in range(partners + 1)])
    terms = precision * (rho * u * rolled - rho.square() * (u.square() + rolled.square()) / 2)
    scores = terms.cumsum(-1)
    return scores[0].mean(0) - scores[1:].flatten(0, 1).logsumexp(0) + math.log(partners * len(u))
