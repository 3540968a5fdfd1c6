"""The choice of the copula that a critic starts as, by cross-validation on its training rows.

N and M rows, D features of a side, D_x and D_y of x and y, P canonical pairs.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.models.critics.canonical import canonical, of_scatter
from infobound.models.critics.feature_choice import LEAST, Choice, related, telling
from infobound.models.critics.starting_copula import (
    NORMAL,
    TURNS,
    Features,
    Projection,
    Start,
    constant,
    from_lengths,
    limit_of,
    most_features,
    t_scores,
)

FREEDOMS = (20.0, 10.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0)
"""Degrees of freedom of the t copulas that are tried."""
SHRINKAGES = (1.0, 0.95, 0.9, 0.8, 0.6)
"""Factors for the canonical correlations that are tried."""
MOST = 20_000
"""Maximum number of rows that a copula is fitted to."""
LARGE = 100_000
"""Maximum number of held-back rows of one part times the number of pairs."""
CROWDED = 20
"""Columns are screened if there are fewer rows than this for each of them."""
WIDEST = 130
"""Maximum number of columns for a t copula."""
SEEN = 4000
"""Maximum number of rows from which the scatter of a t copula is computed."""
ITERATIONS = 4
"""Number of times that this scatter is computed anew, with the weights of the last one."""
PARTNERS = 20
"""Product samples for each of the held-back rows that choose."""
MARGIN = 2.0
"""Number of standard errors by which a copula must read more than a simpler one."""
JUDGES = 1200
"""Number of held-back rows that are enough to choose; fewer are held back in several parts."""


class Judged(NamedTuple):
    """A way of fitting a copula, with the factors of its correlations that read most."""

    bound: float
    """The bound on the held-back rows, nats."""
    factors: Float[Tensor, " P"]
    joint: Float[Tensor, " M"]
    """The scores of the held-back rows."""


Way = Callable[[Tensor, Tensor], Start]
"""Fits a copula to the rows of x and y."""
PLAIN = Features()


def chosen(
    x: Float[Tensor, "N D_x"],
    y: Float[Tensor, "N D_y"],
    held_back: float,
    clip: float,
    invertible: bool = False,
) -> Start:
    """The copula with the highest Donsker-Varadhan bound on held-back rows, fitted to all rows or
    the first MOST.

    The choice is among Gaussian copulas, of all columns, of those that are related, of sides that
    are turned, of columns with all their cosines, products with their mean, or products, or with
    those that tell more, and a t copula; among numbers of canonical pairs; and among factors for
    their correlations. Without information all correlations are 0.
    `invertible` leaves out cosines and products, which may lose what is known of the rows.
    """
    (x, *of_x), (y, *of_y) = _standardised(x[:MOST]), _standardised(y[:MOST])
    start = _chosen(x, y, held_back, clip, invertible)
    return start._replace(x=start.x.of(*of_x), y=start.y.of(*of_y))


def _standardised(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean, deviation = rows.mean(0), rows.std(0, correction=0)
    deviation = deviation.where(deviation > 0, 1.0)
    return (rows - mean) / deviation, mean, deviation


def _chosen(x: Tensor, y: Tensor, held_back: float, clip: float, invertible: bool) -> Start:
    parts = [*_parts(len(x), held_back, min(x.shape[1], y.shape[1]))]
    if not parts:
        start = _gaussian(x, y)
        return start._replace(rho=torch.zeros_like(start.rho))
    simplest, *others = _ways(x, y, len(parts[0][0]), invertible)
    way, best = simplest, _judged(simplest, x, y, parts, clip)
    for other in others:
        judged = _judged(other, x, y, parts, clip)
        apart = judged.joint - best.joint
        if judged.bound - best.bound > MARGIN * float(apart.std()) / math.sqrt(len(apart)):
            way, best = other, judged
    start = way(x, y)
    return start._replace(rho=start.rho * best.factors)


def _parts(rows: int, held_back: float, pairs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows to fit and rows to judge, in as many parts as JUDGES asks for; none of very few rows."""
    size = min(max(2, round(held_back * rows)), max(JUDGES // 10, LARGE // pairs))
    every = torch.arange(rows)
    for part in range(min(rows // size, -(-JUDGES // size)) if rows - size > 1 else 0):
        end = rows - part * size
        yield torch.cat([every[: end - size], every[end:]]), every[end - size : end]


def _ways(x: Tensor, y: Tensor, rows: int, invertible: bool) -> Iterator[Way]:
    widest, columns = max(x.shape[1], y.shape[1]), x.shape[1] + y.shape[1]
    yield _gaussian
    most = most_features(widest)
    if invertible:
        most = Features(turns=most.turns)
    wider = [Features(bends=most.bends)] if most.bends else []
    wider += [Features(turns) for turns in TURNS if 0 < turns <= most.turns]
    wider += [Features(products=True)] if most.products else []
    wider += [Features(levels=True)] if most.levels else []
    for features in wider:
        if features.width(widest) * LEAST <= rows:
            yield partial(_gaussian, features=features)
    for features in wider:
        if not features.turns and widest * LEAST <= rows:
            yield partial(_gaussian, features=features, choice=telling)
    if columns <= min(WIDEST, rows / LEAST):
        yield _student
    if widest * CROWDED > rows:
        yield partial(_gaussian, choice=related)


def _gaussian(
    x: Tensor, y: Tensor, features: Features = PLAIN, choice: Choice | None = None
) -> Start:
    """A Gaussian copula of coordinates that are linear in features, or in a choice of them."""
    of_x, of_y = (features.of_width(each.shape[1]) for each in (x, y))
    wide_x, wide_y = of_x(x, x), of_y(y, y)
    centre_x, centre_y = wide_x.mean(0), wide_y.mean(0)
    wide_x, wide_y = wide_x - centre_x, wide_y - centre_y
    dim_x, dim_y = x.shape[1], y.shape[1]
    kept_x, kept_y = (torch.ones_like(each, dtype=torch.bool) for each in (centre_x, centre_y))
    if choice is not None:
        kept_x, kept_y = choice(wide_x, wide_y, dim_x, dim_y)
    to_x, to_y = x.new_zeros(len(kept_x), dim_x), y.new_zeros(len(kept_y), dim_y)
    rho = x.new_zeros(min(dim_x, dim_y))
    if bool(kept_x.any() & kept_y.any()):
        found = canonical(wide_x[:, kept_x], wide_y[:, kept_y])
        for axes, kept, used in ((to_x, kept_x, found.to_x), (to_y, kept_y, found.to_y)):
            columns = min(len(used), axes.shape[1])
            axes[kept, :columns] = used[:, :columns]
        pairs = min(len(rho), len(found.rho))
        rho[:pairs] = found.rho[:pairs]
    return Start(NORMAL, Projection(centre_x, to_x, of_x), Projection(centre_y, to_y, of_y), rho)


def _student(x: Tensor, y: Tensor) -> Start:
    """A t copula with the degrees of freedom and scatter of the highest likelihood that is found.

    Demarta and McNeil 2005, https://doi.org/10.1111/j.1751-5823.2005.tb00254.x
    """
    rows = torch.cat([x, y], dim=1)[:SEEN]
    dim = rows.shape[1]
    scatter = torch.corrcoef(rows.T).reshape(dim, dim).nan_to_num(0.0)
    best, freedom, found = -math.inf, FREEDOMS[0], scatter
    for tried in FREEDOMS:
        scores = t_scores(rows, tried)
        scatter = _scatter(scores, scatter, tried)
        likelihood = _likelihood(scores, scatter, tried)
        if likelihood < best:
            break
        best, freedom, found = likelihood, tried, scatter
    split = x.shape[1]
    pairs = of_scatter(
        found[:split, :split], found[split:, split:], found[:split, split:], len(rows)
    )
    of_x, of_y = x.new_zeros(split), y.new_zeros(dim - split)
    return Start(freedom, Projection(of_x, pairs.to_x), Projection(of_y, pairs.to_y), pairs.rho)


def _scatter(scores: Tensor, scatter: Tensor, freedom: float) -> Tensor:
    """The scatter of t scores with unit diagonal, by expectation and maximisation."""
    for _ in range(ITERATIONS):
        weights = (freedom + scores.shape[1]) / (freedom + _lengths(scores, scatter))
        scatter = (scores * weights.unsqueeze(-1)).T @ scores
        size = scatter.diagonal().sqrt()
        size = size.where(size > 0, 1.0)  # of a constant column
        scatter = scatter / torch.outer(size, size)
    return scatter


def _lengths(scores: Tensor, scatter: Tensor) -> Tensor:
    """The squared length of each row in the metric of the scatter."""
    shifted = scatter + 1e-6 * torch.eye(len(scatter), dtype=scatter.dtype, device=scatter.device)
    return (
        torch.linalg.solve_triangular(torch.linalg.cholesky(shifted), scores.T, upper=False)
        .square()
        .sum(0)
    )


def _likelihood(scores: Tensor, scatter: Tensor, freedom: float) -> float:
    """The mean log-likelihood of a t copula up to what does not depend on the degrees of freedom or
    scatter, nats.
    """
    dim, half = scores.shape[1], (freedom + 1) / 2
    shifted = scatter + 1e-6 * torch.eye(dim, dtype=scatter.dtype, device=scatter.device)
    gammas = (
        math.lgamma((freedom + dim) / 2)
        + (dim - 1) * math.lgamma(freedom / 2)
        - dim * math.lgamma(half)
    )
    joint = (freedom + dim) / 2 * torch.log1p(_lengths(scores, scatter) / freedom)
    each = half * torch.log1p(scores.square() / freedom).sum(1)
    return gammas - float(torch.logdet(shifted)) / 2 + float((each - joint).mean())


def _judged(
    way: Way, x: Tensor, y: Tensor, parts: Sequence[tuple[Tensor, Tensor]], clip: float
) -> Judged:
    """The highest bound of a way on the held-back rows of all parts."""
    joints, products, pairs = list[Tensor](), list[Tensor](), min(x.shape[1], y.shape[1])
    for kept, out in parts:
        start = way(x[kept], y[kept])
        joint, product = zip(
            *(_by_pairs(start, x[out], y[out], factor, clip) for factor in SHRINKAGES), strict=True
        )
        joints.append(torch.stack(joint))
        products.append(torch.stack(product))
    joint, product = torch.cat(joints, dim=1), torch.cat(products, dim=1)
    bounds = joint.mean(1) - product.logsumexp(1) + math.log(product.shape[1])
    value, place = bounds.flatten().max(0)
    factor, count = divmod(int(place), bounds.shape[1])
    believed = torch.arange(pairs, device=x.device) < count
    factors = torch.where(believed, SHRINKAGES[factor], 0.0).to(x.dtype)
    return Judged(float(value), factors, joint[factor, :, count])


def _by_pairs(
    start: Start, x: Tensor, y: Tensor, factor: float, clip: float
) -> tuple[Float[Tensor, "M P+1"], Float[Tensor, "MK P+1"]]:
    """The scores of joint and product samples with the first 0, 1, ..., P pairs alone."""
    (u, v), rho = _coordinates(start, x, y, clip), start.rho * factor
    pairs, precision = len(rho), 1 / (1 - rho.square())
    partners = min(PARTNERS, len(u) - 1)
    rolled = torch.stack([v.roll(-shift, 0) for shift in range(partners + 1)])
    of_u, of_v = u.square().sum(-1, keepdim=True), rolled.square().sum(-1, keepdim=True)
    u, rolled = u[:, :pairs], rolled[..., :pairs]
    terms = precision * (rho.square() * (u.square() + rolled.square()) - 2 * rho * u * rolled)
    grown = torch.nn.functional.pad(terms.cumsum(-1), (1, 0))
    constants = torch.nn.functional.pad(precision.log().cumsum(0) / 2, (1, 0))
    dims = x.shape[1], y.shape[1]
    ratios = from_lengths(of_u + of_v + grown, of_u, of_v, *dims, start.freedom)
    scores = ratios + constants + constant(start.freedom, *dims)
    return scores[0], scores[1:].flatten(0, 1)


def _coordinates(
    start: Start, x: Tensor, y: Tensor, clip: float
) -> tuple[Float[Tensor, "M D_x"], Float[Tensor, "M D_y"]]:
    made = list[Tensor]()
    for rows, side in ((x, start.x), (y, start.y)):
        rows = rows.clamp(-clip, clip)
        scores = rows if start.freedom >= NORMAL else t_scores(rows, start.freedom)
        limit = limit_of(start.freedom, clip)
        made.append(((side.features(scores, rows) - side.centre) @ side.axes).clamp(-limit, limit))
    return made[0], made[1]
