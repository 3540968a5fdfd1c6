"""Canonical correlations of rows, and which of them to believe.

N and M rows, D_x and D_y features of the sides, P canonical pairs.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

STRONGEST = 0.9999
"""The canonical correlation that a larger one is read as: its log-ratio is 4.3 nats, and 1 would be
infinite.
"""
SHRINKAGES = (1.0, 0.95, 0.9, 0.8, 0.6)
PARTNERS = 20
"""Product samples a row of the held-back rows that choose pairs and shrinkage."""
FLAT = 1e-6
"""A direction with less than this share of the largest variance says nothing that the others do
not.
"""

NOISE = 3.0
"""Times D / N of the mean variance is added to each, so that directions which few rows tell little
of are not blown up.
"""


class Canonical(NamedTuple):
    """Centred rows times these are uncorrelated, of variance 1 but for NOISE, correlated across the
    sides in pairs alone.
    """

    to_x: Float[Tensor, "D_x D_x"]
    """A column of zeros for each direction without variance."""
    to_y: Float[Tensor, "D_y D_y"]
    rho: Float[Tensor, " P"]
    """Canonical correlations, falling."""


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
    """What to multiply the canonical correlations by: a shrinkage for the first pairs and 0
    for the others.

    It is what scores the held-back rows best when fitted to the others.
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
    """The Donsker-Varadhan bound on rows u, v with the first 1, 2, ..., P pairs."""
    precision = 1 / (1 - rho.square())
    partners = min(PARTNERS, len(u) - 1)
    if partners < 1:
        return torch.zeros_like(rho)
    rolled = torch.stack([v.roll(-shift, 0) for shift in range(partners + 1)])
    terms = precision * (rho * u * rolled - rho.square() * (u.square() + rolled.square()) / 2)
    scores = terms.cumsum(-1)
    return scores[0].mean(0) - scores[1:].flatten(0, 1).logsumexp(0) + math.log(partners * len(u))
