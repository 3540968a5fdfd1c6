"""A linear map that turns pairs of mixed columns back into independent ones.

N rows, D columns.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from infobound.datasets.dependence import (
    CUMULANTS,
    FREEDOM,
    by_rank,
    chance,
    dependence,
    hermite,
    normal_levels,
    not_gaussian,
)

SEEN = 10_000
"""Maximum number of rows that are looked at, evenly spaced if there are more."""
LEAST = 100
"""Minimum number of rows: dependence cannot be told from chance in fewer."""
MOST = 128
"""Maximum number of columns that are looked at."""
VARIED = 0.9
"""Minimum number of different values of a column, as a share of its rows."""
LEFT = 0.25
"""Two columns are mixtures if turning them leaves at most this share of their dependence."""
CLEARLY = 4.0
"""Number of standard deviations by which it must become less."""
ALIKE = 0.99
"""Columns that are more correlated than this are one column, with noise."""
ANGLES = 16
"""The number of angles that are tried first."""
CLOSE = 1e-3
"""The precision of the angle, radians."""
PATIENCE = 10
"""The number of pairs that are tried in vain before the rest is left alone."""


class Unmixing(NamedTuple):
    """An invertible linear map (rows - centre) @ matrix of a table's rows."""

    centre: Float64[Tensor, " D"]
    matrix: Float64[Tensor, "D D"]


def unmixing(rows: Tensor) -> Unmixing | None:
    """The map of rows (N, D) that makes pairs of columns independent where a linear map of both
    can; None if there is no such pair.

    Two columns are turned if they depend on each other in a way that no Gaussian copula explains,
    and if almost nothing of that is left once they are made uncorrelated and rotated by the best
    angle: then they are mixtures of two independent columns that are not normal. This is
    independent component analysis of two columns at a time (Comon 1994,
    https://doi.org/10.1016/0165-1684(94)90029-9), to which other columns add no noise. Columns
    with many equal values stay as they are, and so do mixtures whose variances a few outliers
    dominate.
    """
    if len(rows) < LEAST:
        return None
    seen = rows[torch.arange(0, len(rows), -(-len(rows) // SEEN))].double().cpu()
    centre, deviation = seen.mean(0), seen.std(0, correction=0)
    candidates = _varied(seen) & deviation.isfinite() & (deviation > 0)
    places = candidates.nonzero().flatten()
    if not 2 <= len(places) <= MOST:
        return None
    scale = deviation[places]
    turned = _Turned((seen[:, places] - centre[places]) / scale)
    while turned.wanted():
        turned.turn()
    if not turned.changed:
        return None
    matrix = torch.eye(rows.shape[1], dtype=torch.float64)
    matrix[places.unsqueeze(-1), places] = turned.matrix / scale.unsqueeze(-1)
    return Unmixing(centre.where(candidates, 0.0), matrix)


class _Turned:
    """Columns of mean 0 and variance 1 whose pairs are turned, the most dependent first."""

    def __init__(self, columns: Float64[Tensor, "N D"]) -> None:
        rows, dim = columns.shape
        self.columns, self.changed = columns, False
        self.matrix = torch.eye(dim, dtype=torch.float64)
        self._levels = normal_levels(rows)
        self._polynomials = hermite(self._levels)
        self._scores = by_rank(columns, self._levels)
        self._pairs, self._patience = dim * (dim - 1) // 2, PATIENCE
        self._dependence = not_gaussian(self._scores, self._scores).triu(1)

    def wanted(self) -> bool:
        """Whether a pair may still be a mixture."""
        return self._patience > 0 and float(self._dependence.max()) > chance(CUMULANTS, self._pairs)

    def turn(self) -> None:
        """Turn the most dependent pair if that leaves little of its dependence."""
        pair = [*divmod(int(self._dependence.argmax()), len(self.matrix))]
        self._dependence[pair[0], pair[1]] = 0.0  # until one of both changes
        columns, scores = self.columns[:, pair], self._scores[:, pair]
        white, white_scores = _whitening(columns), _whitening(scores)
        if white is None or white_scores is None:
            return
        before = self._left(scores @ white_scores)
        if before < chance(FREEDOM, self._pairs):
            return
        angle, after = self._best_angle(columns @ white)
        if after - FREEDOM > _enough(before - FREEDOM):
            self._patience -= 1
            return
        turn = white @ _rotation(angle)
        self.columns[:, pair] = columns @ turn
        self.matrix[:, pair] = self.matrix[:, pair] @ turn
        self._scores[:, pair] = by_rank(self.columns[:, pair], self._levels)
        fresh = not_gaussian(self._scores[:, pair], self._scores)
        fresh[:, pair] = 0.0
        for place, row in zip(pair, fresh, strict=True):
            self._dependence[place, place:] = row[place:]
            self._dependence[:place, place] = row[:place]
        self.changed, self._patience = True, PATIENCE

    def _left(self, pair: Float64[Tensor, "N 2"]) -> float:
        first, second = by_rank(pair, self._polynomials).unbind(1)
        return dependence(first, second)

    def _best_angle(self, pair: Float64[Tensor, "N 2"]) -> tuple[float, float]:
        """The angle in radians that leaves the least dependence, and that dependence."""

        def left(angle: float) -> float:
            return self._left(pair @ _rotation(angle))

        step = math.pi / 2 / ANGLES
        least, angle = min((left(place * step), place * step) for place in range(ANGLES))
        while (step := step / 2) > CLOSE:
            least, angle = min(
                (least, angle), *((left(near), near) for near in (angle - step, angle + step))
            )
        return angle, least


def _varied(rows: Tensor) -> Tensor:
    """Which columns hardly repeat a value."""
    ordered = np.sort(rows.T.numpy(), axis=1)
    different = (ordered[:, 1:] != ordered[:, :-1]).sum(1) + 1
    return torch.from_numpy(different >= VARIED * len(rows))


def _enough(before: float) -> float:
    """The most that turning leaves of a mixture's dependence, both above what chance gives: a small
    share, and so little that a dependence that no rotation changes would not seem so by chance.
    """
    deviation = math.sqrt(2 * FREEDOM + 4 * before)  # of a noncentral chi-squared number
    return min(LEFT * before, before - CLEARLY * deviation)


def _whitening(pair: Float64[Tensor, "N 2"]) -> Float64[Tensor, "2 2"] | None:
    """The symmetric map to two uncorrelated columns of variance 1; None if one column is nearly the
    other.
    """
    variances, axes = torch.linalg.eigh(pair.T @ pair / len(pair))
    if float(variances[0]) < (1 - ALIKE) * float(variances[1]):
        return None
    return axes @ torch.diag(variances.rsqrt()) @ axes.T


def _rotation(angle: float) -> Float64[Tensor, "2 2"]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)
