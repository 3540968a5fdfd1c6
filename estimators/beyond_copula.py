"""The information in rows that a copula knows, and the rest that it leaves to learn.

N rows, D columns, D_x and D_y of x and y, P canonical pairs, F features of x.
"""

import math
from typing import NamedTuple

import scipy.stats
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from infobound.models.critics.starting_copula import (
    NORMAL,
    Coordinates,
    Features,
    Start,
    constant,
    log_ratios,
)

CLIP = 6.0
"""The largest coordinate and feature."""
FLOOR = 3
"""A coordinate counts for at least this, divided by the number of coordinates of its side."""
BLOCK = 256
"""Rows whose log-ratios are computed with those of all pairs among them."""


class Left(NamedTuple):
    """The information that a copula knows, and the rest that it leaves to learn."""

    ratio: Float[Tensor, " N"]
    """Its log-ratio, nats."""
    features: Float[Tensor, "N F"]
    """The features of x."""
    given: Float[Tensor, "N D"]
    """y, standard normal given x if the copula is true."""
    free: Float[Tensor, "N D"]
    """y, standard normal if the copula is true."""
    weights: Float[Tensor, " D"]
    """The weights of the columns of y, 1 for the largest correlation."""


def leave(x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"], start: Start) -> Left:
    """Split off what the copula knows. For a t copula, rows become normal along their length.

    The coordinates may be turned, but not bent, and have no products.
    """
    freedom, rho, (dim_x, dim_y) = start.freedom, start.rho, (x.shape[1], y.shape[1])
    of_x, of_y = (Coordinates(dim, CLIP).double() for dim in (dim_x, dim_y))
    of_x.fit(freedom, start.x)
    of_y.fit(freedom, start.y)
    u, v = of_x(x), _completed(of_y, y, int(rho.count_nonzero()))
    more = constant(freedom, dim_x, dim_y)
    ratio = torch.cat(
        [
            log_ratios(*block, rho, freedom, more).diagonal()
            for block in zip(u.split(BLOCK), v.split(BLOCK), strict=True)
        ]
    )
    slope = torch.zeros(dim_x, dim_y, dtype=u.dtype)
    slope.diagonal().copy_(rho)
    scale = (1 + u.square().sum(-1, keepdim=True) / freedom) / (1 + dim_x / freedom)
    given = (v - u @ slope) / ((1 - slope.square().sum(0)) * scale).sqrt()
    varied = v.std(0) > 0
    known = _normal(u, freedom)
    columns = [
        _weights(rho, dim_x) * known,
        length_of(known),
        min(1, FLOOR / dim_x) * x,
        length_of(x),
    ]
    return Left(
        ratio,
        torch.cat(columns, 1).clamp(-CLIP, CLIP).float(),
        _normal(given, freedom + dim_x)[:, varied].float(),
        _normal(v, freedom)[:, varied].float(),
        _weights(rho, dim_y)[varied].float(),
    )


def _completed(
    coordinates: Coordinates, rows: Float[Tensor, "N D"], pairs: int
) -> Float[Tensor, "N D"]:
    """The coordinates of rows. If these are turned, all but the first `pairs` columns are replaced
    by what completes them: rows projected on the directions that are at right angles to the first
    ones at this length, uncorrelated and of variance 1.
    """
    made, dim = coordinates(rows), rows.shape[1]
    if not coordinates.axes[dim:].any():
        return made
    turns = Features(coordinates.features.turns)
    waves = turns(rows.new_ones(len(rows), 1), rows)
    axes = coordinates.axes[: turns.width(dim), :pairs].unflatten(0, (-1, dim))
    directions, _ = torch.linalg.qr(torch.tensordot(waves, axes, 1), mode="complete")
    rest = (rows.unsqueeze(1) @ directions[..., pairs:]).squeeze(1)
    every = torch.cat([made[:, :pairs], rest], 1)
    _, scatter = torch.linalg.qr(every / math.sqrt(len(every)))
    alone = torch.linalg.solve_triangular(scatter, every, upper=True, left=False)
    return torch.cat([made[:, :pairs], alone[:, pairs:]], 1)


def _normal(rows: Float[Tensor, "N D"], freedom: float) -> Float[Tensor, "N D"]:
    """Rows of a multivariate t distribution, made normal along their length."""
    if freedom >= NORMAL:
        return rows
    dim, length = rows.shape[1], rows.square().sum(-1, keepdim=True).clamp_min(1e-12)
    beyond = scipy.stats.f.sf(length.numpy() / dim, dim, freedom)
    return rows * (torch.from_numpy(scipy.stats.chi2.isf(beyond, dim)) / length).sqrt()


def _weights(rho: Float[Tensor, " P"], dim: int) -> Float[Tensor, " D"]:
    """The weights of a side's coordinates, 1 for the largest correlation."""
    every = pad(rho / rho.max().clamp_min(1e-6), (0, dim - len(rho)))
    return every.clamp_min(min(1.0, FLOOR / dim))


def length_of(rows: Float[Tensor, "*B D"]) -> Float[Tensor, "*B 1"]:
    """|row|^2 of normal rows, standardised."""
    columns = rows.shape[-1]
    return (rows.square().sum(-1, keepdim=True) - columns) / math.sqrt(2 * columns)
