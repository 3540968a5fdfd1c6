"""A critic that starts as the log-ratio of a copula, fitted to rows whose margins are all normal.

N rows, B batch, D features of one side, D_x and D_y of x and y, P canonical pairs, E features for a
network.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics import starting_copula
from infobound.models.critics.canonical import canonical
from infobound.models.critics.column_pairs import column_pairs
from infobound.models.critics.copula_choice import chosen
from infobound.models.critics.scores import Scores, from_matrix
from infobound.models.critics.starting_copula import NORMAL, Coordinates, log_ratios
from infobound.models.layers.mlp import mlp

WAVY = 2
"""Largest dimension of a side that gets cosine features: with more of them, networks overfit tables
of a few thousand rows.
"""
FLOOR = -10.0
"""Lower limit of scores in evaluation. Product pairs below it hardly matter, but a single joint
pair far below it would dominate the bound.
"""
LOOKED_AT = 256
"""Number of training rows whose largest joint score is the initial upper limit."""
RATE = 0.02
"""Weight of a batch in the moving average of the largest joint scores."""


class Side(nn.Module):
    """Turns rows into canonical coordinates, clipped at ±`clip`, and into features for a network.

    The features are the weighted coordinates; the radius (|x|^2 - d) / sqrt(2 d) of d coordinates
    with variance 1, which rotations do not change; and, in up to WAVY dimensions, `waves` cosines
    cos(pi k F) / sqrt(k) of each coordinate's normal probability F, because a network learns sharp
    edges slowly from the coordinate itself (Tancik et al. 2020, https://arxiv.org/abs/2006.10739).
    """

    centre: Float[Tensor, " D"]
    axes: Float[Tensor, "D D"]
    count: Float[Tensor, ""]
    weight: Float[Tensor, " D"]
    orders: Float[Tensor, " waves"]

    def __init__(self, dim: int, clip: float, waves: int) -> None:
        super().__init__()
        self.clip = clip
        waves = waves if dim <= WAVY else 0
        self.plain, self.features = dim + 1, dim + 1 + dim * waves
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("axes", torch.eye(dim))
        self.register_buffer("count", torch.tensor(float(dim)))
        self.register_buffer("weight", torch.ones(dim))
        self.register_buffer("orders", torch.arange(1.0, waves + 1))

    def fit(
        self, centre: Float[Tensor, " D"], axes: Float[Tensor, "D D"], rho: Float[Tensor, " P"]
    ) -> None:
        """Set the axes, and weight coordinate p by max(rho_p / rho_1, min(1, 3 / D)), a soft choice
        of features.
        """
        dim = len(centre)
        least = torch.tensor(min(1.0, 3 / dim), dtype=rho.dtype)
        every = torch.nn.functional.pad(rho / rho[0].clamp_min(1e-9), (0, dim - len(rho)))
        self.centre.copy_(centre)
        self.axes.copy_(axes)
        self.count.copy_(axes.any(0).sum().clamp_min(1))
        self.weight.copy_(torch.maximum(every, least))

    def forward(
        self, rows: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B {self.features}"]]:
        """Rows as coordinates and as features; the first `plain` features are not cosines."""
        coordinates = ((rows - self.centre) @ self.axes).clamp(-self.clip, self.clip)
        radial = (coordinates.square().sum(-1, keepdim=True) - self.count) / (2 * self.count).sqrt()
        probability = torch.special.ndtr(coordinates).unsqueeze(-1)
        waves = torch.cos(math.pi * self.orders * probability) * self.orders.rsqrt()
        return coordinates, torch.cat(
            [coordinates * self.weight, radial, waves.flatten(-2)], dim=-1
        )


class GaussianCopula(nn.Module):
    """f(x, y) = log-ratio of (u, v) + g(x) . h(y) + a(x) + b(y) + c(x, y), all pairs by
    matrix products.

    The log-ratio is that of normal pairs, sum_p [r u v - r^2 (u^2 + v^2) / 2] / (1 - r^2) -
    log(1 - r^2) / 2, where r are the correlations of the pairs, or of a multivariate t
    distribution. u and v start as canonical coordinates of the training rows; parts of the rows,
    each of the share `held_back`, choose the copula, the number of pairs and the shrinkage of r
    (models.critics.copula_choice). A network of widths `warp` corrects the coordinates of each
    side, and r is trained too, so the critic can also learn normal pairs that were transformed by
    an invertible map of each side. g, h, a and b are networks of widths `hidden` with `embed`
    features; all last layers start at `begin` times their usual size. c is a sum over pairs of
    columns (models.critics.column_pairs), and is used where the chosen copula neither turns nor
    multiplies columns; where they are mixed, it would only learn the training rows.

    In evaluation, scores are limited to at least FLOOR and at most the moving average of the
    largest joint scores of the training batches; otherwise a single pair far from the training data
    could dominate the bound. The bound stays valid, as it does for any critic. Rows should have
    normal margins (dataset.transform=gaussian_ranks or unmixed_ranks). prepare() sees the training
    rows; without it r starts at 0.
    """

    rho: Float[Tensor, " P"]
    ceiling: Float[Tensor, ""]
    freedom: Float[Tensor, ""]
    constant: Float[Tensor, ""]

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        hidden: Sequence[int] = (128, 128),
        embed: int = 64,
        warp: Sequence[int] = (128,),
        waves: int = 12,
        activation: str = "SiLU",
        clip: float = 6.0,
        begin: float = 0.2,
        held_back: float = 0.1,
    ) -> None:
        super().__init__()
        for name, value in {"embed": embed, "clip": clip, "begin": begin}.items():
            if not value > 0:
                raise SettingError(name, "must be positive", value)
        if waves < 0:
            raise SettingError("waves", "must be 0 or more", waves)
        if not 0 < held_back < 1:
            raise SettingError(
                "held_back", "must be a share of the rows, above 0 and below 1", held_back
            )
        self.held_back = held_back
        pairs = min(dim_x, dim_y)
        self.x, self.y = Side(dim_x, clip, waves), Side(dim_y, clip, waves)
        self.warp_x, self.warp_y = (
            _dampened(mlp(side.plain, warp, pairs, activation), begin) for side in (self.x, self.y)
        )
        self.u, self.v = Coordinates(dim_x, clip), Coordinates(dim_y, clip)
        self.g, self.h = (
            _dampened(mlp(side.features + pairs, hidden, embed + 1, activation), begin)
            for side in (self.x, self.y)
        )
        self.columns = column_pairs(dim_x, dim_y, waves, begin)
        self.sharpening = nn.Parameter(torch.zeros(pairs))
        self.register_buffer("rho", torch.zeros(pairs))
        self.register_buffer("freedom", torch.tensor(NORMAL))
        self.register_buffer("constant", torch.zeros(()))
        self.register_buffer("ceiling", torch.tensor(math.inf))

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Fit coordinates and correlations to training rows."""
        x, y = (rows.to(self.rho.device, torch.float64) for rows in (x, y))
        centre_x, centre_y = x.mean(0), y.mean(0)
        to_x, to_y, rho = canonical(x - centre_x, y - centre_y)
        self.x.fit(centre_x, to_x, rho)
        self.y.fit(centre_y, to_y, rho)
        start = chosen(x, y, self.held_back, self.x.clip)
        self.u.fit(start.freedom, start.x)
        self.v.fit(start.freedom, start.y)
        self.rho.copy_(start.rho)
        self.freedom.fill_(start.freedom)
        if self.columns is not None:
            self.columns.use(fitting=start.freedom >= NORMAL and not start.mixed, rows=len(x))
        self.constant.fill_(starting_copula.constant(start.freedom, x.shape[1], y.shape[1]))
        with torch.no_grad():
            self.ceiling.copy_(
                self.scores(x[:LOOKED_AT].float(), y[:LOOKED_AT].float()).joint.amax()
            )

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        scores = self.scores(x, y)
        if not self.training:
            return Scores(*(each.clamp(FLOOR).clamp_max(self.ceiling) for each in scores))
        largest = scores.joint.detach().amax().float()
        self.ceiling.copy_(
            torch.where(self.ceiling.isinf(), largest, self.ceiling.lerp(largest, RATE))
        )
        return scores

    def scores(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        """Compute the scores without limits."""
        clip = self.x.clip
        paired = 0 if self.columns is None else self.columns(x, y)
        start_u, start_v = self.u(x), self.v(y)
        (_, x), (_, y) = self.x(x), self.y(y)
        pairs = len(self.rho)
        known_u, known_v = (each[:, :pairs].clamp(-clip, clip) for each in (start_u, start_v))
        more_u, more_v = self.warp_x(x[:, : self.x.plain]), self.warp_y(y[:, : self.y.plain])
        u = start_u + F.pad(more_u, (0, start_u.shape[-1] - pairs))
        v = start_v + F.pad(more_v, (0, start_v.shape[-1] - pairs))
        g, h = self.g(torch.cat([x, known_u], -1)), self.h(torch.cat([y, known_v], -1))
        rho = torch.tanh(torch.atanh(self.rho) + self.sharpening)
        base = log_ratios(u, v, rho, self.freedom, self.constant)
        return from_matrix(base + g[:, 1:] @ h[:, 1:].mT + g[:, :1] + h[:, 0] + paired)


def _dampened(network: nn.Sequential, size: float) -> nn.Sequential:
    last = network[-1]
    if isinstance(last, nn.Linear):
        with torch.no_grad():
            last.weight.mul_(size)
            last.bias.mul_(size)
    return network
