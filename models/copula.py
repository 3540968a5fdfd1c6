"""A critic that begins as the log-ratio of a Gaussian copula, fitted to rows whose every margin is normal.

N rows, B batch, D features of a side, P canonical pairs.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.critics import Concat
from models.mlp import mlp
from models.scores import Scores, from_matrix

STRONGEST = 0.9999
"""The canonical correlation that a larger one is read as: its log-ratio is 4.3 nats, and 1 would be infinite."""
SHRINKAGES = (1.0, 0.95, 0.9, 0.8, 0.6)
PARTNERS = 20
"""Product samples a row of the held-back rows that choose pairs and shrinkage."""
FLAT = 1e-6
"""A direction with less than this share of the largest variance says nothing that the others do not."""


class Canonical(NamedTuple):
    """Centred rows times these are uncorrelated, of variance 1, and correlated across the sides in pairs of columns alone."""

    to_x: Tensor
    """(D_x, D_x), a column of zeros for each direction without variance."""
    to_y: Tensor
    """(D_y, D_y)"""
    rho: Tensor
    """(P,) canonical correlations, falling."""


def canonical(x: Tensor, y: Tensor) -> Canonical:
    """Canonical correlations of centred x (N, D_x) and y (N, D_y), by one singular value decomposition.

    Hotelling 1936, https://doi.org/10.1093/biomet/28.3-4.321
    """
    white_x, white_y = _whitening(x), _whitening(y)
    left, rho, right = torch.linalg.svd(white_x.T @ (x.T @ y) @ white_y / len(x), full_matrices=True)
    return Canonical(white_x @ left, white_y @ right.T, rho.clamp(max=STRONGEST))


def _whitening(rows: Tensor) -> Tensor:
    variances, axes = torch.linalg.eigh(rows.T @ rows / len(rows))
    varied = variances > FLAT * variances[-1].clamp_min(torch.finfo(rows.dtype).tiny)
    return axes * torch.where(varied, variances, torch.inf).rsqrt()


class Side(nn.Module):
    """Rows (B, D) in canonical coordinates, clipped at ±`clip`, and those with a radial feature, weighted for a network.

    The radial feature (|x|^2 - d) / sqrt(2 d), d coordinates of variance 1, is what rotations leave alone.
    """

    centre: Tensor
    axes: Tensor
    count: Tensor
    weight: Tensor

    def __init__(self, dim: int, clip: float) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("axes", torch.eye(dim))
        self.register_buffer("count", torch.tensor(float(dim)))
        self.register_buffer("weight", torch.ones(dim + 1))

    def fit(self, centre: Tensor, axes: Tensor, rho: Tensor) -> None:
        """Take the axes (D, D), and weigh coordinate p by max(rho_p / rho_1, min(1, 3 / D)): a soft choice of features."""
        dim = len(centre)
        least = torch.tensor(min(1.0, 3 / dim), dtype=rho.dtype)
        every = torch.nn.functional.pad(rho / rho[0].clamp_min(1e-9), (0, dim - len(rho)))
        self.centre.copy_(centre)
        self.axes.copy_(axes)
        self.count.copy_(axes.any(0).sum().clamp_min(1))
        self.weight.copy_(torch.cat([torch.maximum(every, least), torch.ones(1)]))

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        coordinates = ((rows - self.centre) @ self.axes).clamp(-self.clip, self.clip)
        radial = (coordinates.square().sum(-1, keepdim=True) - self.count) / (2 * self.count).sqrt()
        return coordinates, torch.cat([coordinates, radial], dim=-1) * self.weight


class GaussianCopula(nn.Module):
    """f(x, y) = log-ratio of a Gaussian copula + network([x, y]), in canonical coordinates of the training rows.

    The log-ratio of canonical pairs u, v is sum_p [r u v - r^2 (u^2 + v^2) / 2] / (1 - r^2) - log(1 - r^2) / 2, r their
    correlations; how many pairs count, and how far r is shrunk, is what the share `held_back` of the rows scores best. With
    `warp` a network of these hidden widths corrects each side's coordinates, and r is trained too, so that whatever invertible
    maps of each side make of normal pairs is within reach. All networks' last layers begin at `begin` of their usual size.

    `negatives` shuffled partners a row in training, or all pairs where it is None, `read_negatives` when read. Rows are to have
    normal margins (dataset.transform=gaussian_ranks); they are shown by prepare(), without which r begins at 0.
    """

    rho: Tensor

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        hidden: Sequence[int],
        warp: Sequence[int] | None,
        activation: str,
        negatives: int | None,
        read_negatives: int | None,
        clip: float,
        begin: float,
        held_back: float,
    ) -> None:
        super().__init__()
        for name, value in {"negatives": negatives, "read_negatives": read_negatives}.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be a positive integer, or null for all pairs, got {value}")
        for name, value in {"clip": clip, "begin": begin}.items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        if not 0 < held_back < 1:
            raise ValueError(f"held_back must be a share of the rows above 0 and below 1, got {held_back}")
        self.negatives, self.read_negatives, self.held_back = negatives, read_negatives, held_back
        pairs = min(dim_x, dim_y)
        self.x, self.y = Side(dim_x, clip), Side(dim_y, clip)
        self.register_buffer("rho", torch.zeros(pairs))
        self.network = Concat(dim_x + 1, dim_y + 1, hidden=hidden, activation=activation, negatives=negatives)
        _dampened(self.network.rest, begin)
        self.warp_x = self.warp_y = self.sharpening = None
        if warp is not None:
            self.warp_x, self.warp_y = (_dampened(mlp(dim + 1, warp, pairs, activation), begin) for dim in (dim_x, dim_y))
            self.sharpening = nn.Parameter(torch.zeros(pairs))

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """Fit coordinates and base to training rows x (N, dim_x), y (N, dim_y)."""
        x, y = x.double(), y.double()
        kept = len(x) - max(1, round(self.held_back * len(x)))
        keep = _chosen(x[:kept], y[:kept], x[kept:], y[kept:], self.x.clip)
        centre_x, centre_y = x.mean(0), y.mean(0)
        to_x, to_y, rho = canonical(x - centre_x, y - centre_y)
        self.x.fit(centre_x, to_x, rho)
        self.y.fit(centre_y, to_y, rho)
        self.rho.copy_(rho * keep)

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        negatives = self.negatives if self.training else self.read_negatives
        if negatives is not None and not self.training:
            negatives = min(negatives, len(x) - 1)
        u, x = self.x(x)
        v, y = self.y(y)
        base = self._base(u, x, v, y, negatives)
        correction = self.network.against(x, y, negatives)
        return Scores(base.joint + correction.joint, base.product + correction.product)

    def _base(self, u: Tensor, x: Tensor, v: Tensor, y: Tensor, negatives: int | None) -> Scores:
        pairs = len(self.rho)
        u, v, rho = u[:, :pairs], v[:, :pairs], self.rho
        if self.warp_x is not None and self.warp_y is not None and self.sharpening is not None:
            u, v = u + self.warp_x(x), v + self.warp_y(y)
            rho = torch.tanh(torch.atanh(rho) + self.sharpening)
        return log_ratio(u, v, rho, negatives)


def log_ratio(u: Tensor, v: Tensor, rho: Tensor, negatives: int | None) -> Scores:
    """Scores of canonical pairs u, v (B, P) with correlations rho (P,) by the true log-ratio of such normal pairs."""
    precision = 1 / (1 - rho.square())
    constant = precision.log().sum() / 2
    of_u, of_v = ((rho.square() * precision * each.square()).sum(-1) / 2 for each in (u, v))
    u = rho * precision * u
    if negatives is None:
        return from_matrix(constant - of_u[:, None] - of_v + u @ v.mT)
    partners = (torch.stack([each.roll(-shift, 0) for shift in range(negatives + 1)]) for each in (v, of_v))
    rolled_v, rolled_of_v = partners
    scores = constant - of_u - rolled_of_v + (u * rolled_v).sum(-1)
    return Scores(scores[0], scores[1:].mT)


def _chosen(x: Tensor, y: Tensor, held_x: Tensor, held_y: Tensor, clip: float) -> Tensor:
    """(P,) what to multiply the canonical correlations by: a shrinkage for the first pairs and 0 for the others."""
    to_x, to_y, rho = canonical(x - x.mean(0), y - y.mean(0))
    pairs = len(rho)
    u = ((held_x - x.mean(0)) @ to_x[:, :pairs]).clamp(-clip, clip)
    v = ((held_y - y.mean(0)) @ to_y[:, :pairs]).clamp(-clip, clip)
    best, kept = 0.0, torch.zeros(pairs, dtype=rho.dtype)
    for shrinkage in SHRINKAGES:
        bounds = _by_pairs(u, v, shrinkage * rho)
        value, count = bounds.max(0)
        if value > best:
            best, kept = float(value), torch.where(torch.arange(pairs) <= count, shrinkage, 0.0).to(rho.dtype)
    return kept


def _by_pairs(u: Tensor, v: Tensor, rho: Tensor) -> Tensor:
    """(P,) the Donsker-Varadhan bound on rows u, v (M, P) with the first 1, 2, ..., P pairs."""
    precision = 1 / (1 - rho.square())
    partners = min(PARTNERS, len(u) - 1)
    if partners < 1:
        return torch.zeros_like(rho)
    rolled = torch.stack([v.roll(-shift, 0) for shift in range(partners + 1)])
    terms = precision * (rho * u * rolled - rho.square() * (u.square() + rolled.square()) / 2)
    scores = terms.cumsum(-1)
    return scores[0].mean(0) - scores[1:].flatten(0, 1).logsumexp(0) + math.log(partners * len(u))


def _dampened(network: nn.Sequential, size: float) -> nn.Sequential:
    last = network[-1]
    if isinstance(last, nn.Linear):
        with torch.no_grad():
            last.weight.mul_(size)
            last.bias.mul_(size)
    return network
