"""The permutation test of independence: do pairs score higher than permuted pairs?

B rows permuted among themselves, P permutations, R copies.

The critic is fixed and has not seen the rows; the statistic is its mean joint score. If all pairs
are scored, an estimator subtracts about the same value from this mean for every permutation
(exactly the same for InfoNCE). So the bound would order permutations in the same way, but one score
matrix is enough; parts of the score that depend only on x or only on y cancel.

Rows that follow one another are rotated instead: a rotation keeps their autocorrelation, except
where the two ends meet.

Phipson and Smyth 2010, https://doi.org/10.2202/1544-6115.1585
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimator
from infobound.models.critics.scores import Critic

GROUP = 512
"""Maximum number of rows that are permuted among themselves; all pairs of N rows then cost N times
this many scores.
"""


PERMUTATIONS = 999
"""Default number of permutations for a fixed critic."""
RECOMPUTATIONS = 99
"""Default number of permutations for an estimator of rows, which is computed again for each."""


class Permuted(NamedTuple):
    """A statistic for the observed pairs and for permuted partners."""

    observed: float
    permuted: Tensor
    """(P,)"""

    @property
    def p_value(self) -> float:
        """(1 + #{permuted >= observed}) / (1 + P)."""
        return (1 + int((self.permuted >= self.observed).sum())) / (1 + len(self.permuted))


def of_scores(
    matrices: Iterable[Tensor], permutations: int, generator: torch.Generator
) -> Permuted:
    """The mean joint score from the scores (B, B) of all pairs of each group, permuted within each
    group.
    """
    return _of_partners(
        matrices, lambda size: torch.rand(permutations, size, generator=generator).argsort(1)
    )


def of_rotated_scores(matrices: Iterable[Tensor], shifts: Tensor) -> Permuted:
    """The mean joint score from the scores (B, B) of all pairs of each group, and for the partners
    `shifts` (P,) rows later in the same group, which begins again after its end.
    """
    return _of_partners(matrices, lambda size: (torch.arange(size) + shifts[:, None]) % size)


def _of_partners(matrices: Iterable[Tensor], partners: Callable[[int], Tensor]) -> Permuted:
    """The mean joint score for the observed and for other partners (P, B) of the B rows of each
    group.
    """
    observed, permuted, rows = 0.0, torch.zeros(1, dtype=torch.float64), 0
    for matrix in matrices:
        scores, size = matrix.double().cpu(), len(matrix)
        permuted = permuted + scores[torch.arange(size), partners(size)].sum(1)
        observed += float(scores.diagonal().sum())
        rows += size
    return Permuted(observed / rows, permuted / rows)


def rotations(rows: int, count: int, generator: torch.Generator) -> Tensor:
    """Up to `count` different shifts (P,) from 1 to rows - 1, at random."""
    return 1 + torch.randperm(rows - 1, generator=generator)[:count]


def of_rows(
    estimator: SampleEstimator, x: Tensor, y: Tensor, permutations: int, generator: torch.Generator
) -> Permuted:
    """The estimate on rows x (N, dim_x), y (N, dim_y), computed again for each permutation of y."""
    orders = (torch.randperm(len(y), generator=generator) for _ in range(permutations))
    return _again(estimator, x, y, (y[order.to(y.device)] for order in orders))


def of_rotated_rows(estimator: SampleEstimator, x: Tensor, y: Tensor, shifts: Tensor) -> Permuted:
    """The estimate on rows x (N, dim_x), y (N, dim_y) that follow one another, computed again for
    the partners `shifts` (P,) rows later.
    """
    return _again(estimator, x, y, (y.roll(-shift, 0) for shift in shifts.tolist()))


def _again(estimator: SampleEstimator, x: Tensor, y: Tensor, others: Iterable[Tensor]) -> Permuted:
    permuted = [estimator(x, other).value for other in others]
    return Permuted(estimator(x, y).value, torch.tensor(permuted, dtype=torch.float64))


def combined(p_values: Sequence[float]) -> float:
    """One p-value from those of R copies with any dependence: twice their mean, at most 1.

    Folds are dependent: each critic was trained on the test rows of the others, so that a chance
    similarity of the rows of two folds raises both statistics, and permuting each fold separately
    underestimates the spread of a mean over folds.

    Vovk and Wang 2020, https://arxiv.org/abs/1212.4966
    """
    return p_values[0] if len(p_values) == 1 else min(1.0, 2 * statistics.fmean(p_values))


@torch.no_grad()
def score_matrices(
    critic: Critic, x: Tensor, y: Tensor, most: int | None = None
) -> Iterator[Tensor]:
    """Yield scores[i, j] = f(x_i, y_j), (B, B), for groups of rows of nearly equal size, at most
    `most`, by default GROUP; a single remaining row is left out.
    """
    groups = -(-len(x) // (most or GROUP))
    if len(x) > 1:
        yield from (
            _matrix(critic, *pair)
            for pair in zip(x.tensor_split(groups), y.tensor_split(groups), strict=True)
        )


def _matrix(critic: Critic, x: Tensor, y: Tensor) -> Tensor:
    """The scores of all pairs (B, B); a critic that scores a few partners a call is called several
    times.
    """
    size = len(x)
    rolled: list[Tensor] = []
    while len(rolled) < size:
        joint, product = critic(x, y.roll(-len(rolled), 0))
        rolled += [joint, *product.unbind(1)]
    rolls = torch.stack(rolled[:size], dim=1)  # rolls[i, k] = f(x_i, y_((i + k) mod B))
    columns = torch.arange(size, device=x.device)
    return rolls.gather(1, (columns - columns[:, None]) % size)
