"""The copula that a critic starts as: Gaussian or Student's t, of coordinates of each side.

B batch, D columns of a side, D_x and D_y of x and y, P canonical pairs, E features of a side.
"""

import math
from itertools import accumulate
from typing import NamedTuple

import scipy.special
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

NORMAL = 1e6
"""Degrees of freedom of a t copula that cannot be told from the Gaussian copula."""
TURNS = (0, 1, 2, 4, 8)
"""The numbers of harmonics of a side's length that are tried."""
BENDS = 2
"""The number of cosines of each column that is tried."""
SPEED = 0.4
"""Angle of the first harmonic per unit of the mean square of a row, radians."""
WIDE = 900
"""Maximum number of features of a side."""
KNOTS = 1024
"""Number of points between which the quantiles of a t distribution are interpolated."""


class Features(NamedTuple):
    """The terms that the coordinates of a side are linear in, besides its scores."""

    turns: int = 0
    """The number of harmonics of the row's squared length that the scores are multiplied by: the
    coordinates can undo a rotation by an angle that depends on the length.
    """
    bends: int = 0
    """The number of cosines of each column's normal probability: the coordinates can be sums of
    functions of single columns, as bounded columns with noise need.
    """
    levels: bool = False
    """Whether products of each score with the mean of all are features: the coordinates can depend
    on the level of the row.
    """
    products: bool = False
    """Whether products of two scores are features: the coordinates can be any quadratic function,
    or undo a rotation by an angle that depends on the place.
    """

    def sizes(self, dim: int) -> tuple[int, ...]:
        """The numbers of features of each sort of a side of `dim` columns."""
        products = self.products * dim * (dim + 1) // 2
        return dim, 2 * self.turns * dim, self.bends * dim, self.levels * dim, products

    def width(self, dim: int) -> int:
        """The number of features of a side of `dim` columns."""
        return sum(self.sizes(dim))

    def places(self, dim: int, among: "Features") -> Int[Tensor, " E"]:
        """The places of these features of a side of `dim` columns among others."""
        first = [0, *accumulate(among.sizes(dim))]
        each = zip(first, self.sizes(dim), strict=False)
        return torch.cat([torch.arange(start, start + size) for start, size in each])

    def of_width(self, dim: int) -> "Features":
        """These features, without those that a single column does not have."""
        return self if dim > 1 else Features(bends=self.bends)

    def __call__(
        self, scores: Float[Tensor, "B D"], rows: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B E"]:
        """The scores; the scores times cos(k SPEED q) and sin(k SPEED q) for k = 1 to `turns`,
        where q is the mean square of the row; cos(pi k F) for k = 1 to `bends`, where F are the
        normal probabilities of the row; the scores times their mean; and the products.
        """
        angle = SPEED * rows.square().mean(-1, keepdim=True)
        waves = (
            wave(k * angle) for k in range(1, self.turns + 1) for wave in (torch.cos, torch.sin)
        )
        made = [scores, *(scores * wave for wave in waves)]
        if self.bends:
            half_turns = math.pi * torch.special.ndtr(rows)
            made.extend(torch.cos(k * half_turns) for k in range(1, self.bends + 1))
        if self.levels:
            made.append(scores * scores.mean(-1, keepdim=True))
        if self.products:
            dim = scores.shape[-1]
            first, second = torch.triu_indices(dim, dim, device=scores.device)
            made.append(scores.index_select(-1, first) * scores.index_select(-1, second))
        return torch.cat(made, dim=-1)


class Projection(NamedTuple):
    """Coordinates of a side: columns of mean 0 and variance 1 become scores, whose features are
    centred and projected.
    """

    centre: Float[Tensor, " E"]
    axes: Float[Tensor, "E D"]
    features: Features = Features()
    mean: Float[Tensor, " D"] | float = 0.0
    deviation: Float[Tensor, " D"] | float = 1.0

    def of(self, mean: Tensor, deviation: Tensor) -> "Projection":
        """The same coordinates of columns with another mean and deviation."""
        return self._replace(mean=mean, deviation=deviation)


class Start(NamedTuple):
    """A copula: its degrees of freedom, the coordinates of x and y, and the correlations of their
    first pairs.
    """

    freedom: float
    x: Projection
    y: Projection
    rho: Float[Tensor, " P"]

    @property
    def mixed(self) -> bool:
        """Whether coordinates have terms of several columns."""
        return any(
            side.features.turns or side.features.levels or side.features.products
            for side in (self.x, self.y)
        )


class Coordinates(nn.Module):
    """Turns rows with normal margins into the coordinates of a copula.

    The scores of a t copula are the quantiles of a t distribution at the normal probabilities of
    the rows. The coordinates are linear in features of the scores.
    """

    mean: Float[Tensor, " D"]
    deviation: Float[Tensor, " D"]
    quantiles: Float[Tensor, " knots"]
    limit: Float[Tensor, ""]
    centre: Float[Tensor, " E"]
    axes: Float[Tensor, "E D"]

    def __init__(self, dim: int, clip: float) -> None:
        super().__init__()
        self.clip, self.features = clip, most_features(dim)
        wide = self.features.width(dim)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))
        self.register_buffer("quantiles", _quantiles(NORMAL, clip))
        self.register_buffer("limit", torch.tensor(clip))
        self.register_buffer("centre", torch.zeros(wide))
        self.register_buffer("axes", torch.eye(wide, dim))

    def fit(self, freedom: float, projection: Projection) -> None:
        """Use these coordinates."""
        dim = self.axes.shape[1]
        used = projection.features.places(dim, self.features).to(self.axes.device)
        self.mean.copy_(torch.as_tensor(projection.mean))
        self.deviation.copy_(torch.as_tensor(projection.deviation))
        self.quantiles.copy_(_quantiles(freedom, self.clip))
        self.limit.fill_(limit_of(freedom, self.clip))
        self.centre.zero_()[used] = projection.centre.to(self.centre)
        self.axes.zero_()[used] = projection.axes.to(self.axes)

    def forward(self, rows: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        rows = ((rows - self.mean) / self.deviation).clamp(-self.clip, self.clip)
        place = (rows / self.clip + 1) * ((KNOTS - 1) / 2)
        below = place.floor().clamp_max(KNOTS - 2)
        lower, upper = (self.quantiles[below.long() + step] for step in (0, 1))
        scores = torch.lerp(lower, upper, place - below)
        coordinates = (self.features(scores, rows) - self.centre) @ self.axes
        return coordinates.maximum(-self.limit).minimum(self.limit)


def log_ratios(
    u: Float[Tensor, "B D_x"],
    v: Float[Tensor, "B D_y"],
    rho: Float[Tensor, " P"],
    freedom: Float[Tensor, ""] | float = NORMAL,
    constant: Float[Tensor, ""] | float = 0.0,
) -> Float[Tensor, "B B"]:
    """log p(u_i, v_j) / p(u_i) p(v_j), nats, of pairs from a multivariate t distribution with unit
    scatter in u and in v and `rho` between their first columns.

    `constant` is the value of `constant` for these degrees of freedom and dimensions.
    """
    pairs, precision = len(rho), 1 / (1 - rho.square())
    of_u, of_v = u.square().sum(-1), v.square().sum(-1)
    more_u, more_v = (
        (rho.square() * precision * each[:, :pairs].square()).sum(-1) for each in (u, v)
    )
    across = (2 * rho * precision * u[:, :pairs]) @ v[:, :pairs].mT
    together = (of_u + more_u).unsqueeze(-1) + (of_v + more_v) - across
    return from_lengths(together, of_u.unsqueeze(-1), of_v, u.shape[-1], v.shape[-1], freedom) + (
        constant + precision.log().sum() / 2
    )


def constant(freedom: float, dim_x: int, dim_y: int) -> float:
    """The part of a t copula's log-ratio that depends on its dimensions alone, nats."""
    both, neither, of_x, of_y = (
        math.lgamma((freedom + dim) / 2) for dim in (dim_x + dim_y, 0, dim_x, dim_y)
    )
    return both + neither - of_x - of_y


def from_lengths(
    together: Tensor,
    of_x: Tensor,
    of_y: Tensor,
    dim_x: int,
    dim_y: int,
    freedom: Tensor | float,
) -> Tensor:
    """The part of a t copula's log-ratio that depends on the squared lengths of pairs, of x and of
    y, in the metric of the scatter; nats.
    """
    terms = (
        (dim + freedom) / 2 * torch.log1p(length / freedom)
        for dim, length in ((dim_x, of_x), (dim_y, of_y), (dim_x + dim_y, together))
    )
    x, y, both = terms
    return x + y - both


def most_features(dim: int) -> Features:
    """All features that a side of `dim` columns may have."""

    def few(features: Features) -> bool:
        return features.width(dim) <= WIDE

    most = Features(
        turns=max(turns for turns in TURNS if turns == 0 or few(Features(turns))),
        bends=BENDS if few(Features(bends=BENDS)) else 0,
        levels=few(Features(levels=True)),
        products=few(Features(products=True)),
    )
    return most.of_width(dim)


def limit_of(freedom: float, clip: float) -> float:
    """The largest coordinate: those of a t copula have none."""
    return clip if freedom >= NORMAL else math.inf


def _quantiles(freedom: float, clip: float) -> Float[Tensor, " knots"]:
    """The t quantiles at the normal probabilities of evenly spaced points from -clip to clip."""
    points = torch.linspace(-clip, clip, KNOTS, dtype=torch.float64)
    return (points if freedom >= NORMAL else t_scores(points, freedom)).float()


def t_scores(rows: Tensor, freedom: float) -> Tensor:
    """The t quantiles (float64) at the normal probabilities of the rows."""
    lower = scipy.special.stdtrit(freedom, scipy.special.ndtr(-rows.abs().cpu().numpy()))
    return torch.from_numpy(-lower).to(rows).copysign(rows)
