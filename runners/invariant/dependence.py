"""Information between scores and variables that are numbers, categories or both, by nearest
neighbours.

N rows, D scores, P variables.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimate
from infobound.estimators.ksg import KSG
from infobound.runners.invariant.readings import Unread
from infobound.runners.training import permutation
from infobound.runners.training.permutation import Permuted

READ = KSG(k=5, version=1, lnc=None, scale=False)
LEAST = READ.k + 2
"""Minimum number of rows."""
APART = 1e4
"""Distance of categories in standard deviations of a score, so that neighbours share a category."""


def information(scores: Tensor, variables: Tensor, categories: Sequence[int]) -> SampleEstimate:
    """I(scores; variables) in nats of rows (N, D) and (N, P); `categories` is 0 for each numeric
    variable.

    Raises Unread for too few rows to have neighbours, in all or in most categories, and if no
    variable varies.

    Kraskov et al. 2004; with distant categories it equals the estimator of Ross 2014,
    https://doi.org/10.1371/journal.pone.0087357
    """
    return READ(*_tables(scores, variables, categories))


def permuted(
    scores: Tensor, variables: Tensor, categories: Sequence[int], permutations: int, seed: int
) -> Permuted:
    """The information, and its values for permuted variables.

    Raises Unread as information() does.
    """
    source = torch.Generator().manual_seed(seed)
    return permutation.of_rows(READ, *_tables(scores, variables, categories), permutations, source)


def _tables(scores: Tensor, variables: Tensor, categories: Sequence[int]) -> tuple[Tensor, Tensor]:
    if len(variables) < LEAST:
        raise Unread(f"there are {len(variables)} rows, and {LEAST} are needed")
    if not (variables.amax(0) > variables.amin(0)).any():
        raise Unread(f"the variable has one value in all {len(variables)} rows")
    if all(categories):
        rows = torch.unique(variables, dim=0, return_counts=True)[1]
        if rows[rows <= READ.k].sum() > len(variables) / 2:
            raise Unread(f"most rows are of categories with at most {READ.k} rows")
    apart = APART * torch.tensor([count > 0 for count in categories]).double()
    return _scaled(scores), (apart * variables.double()).where(apart > 0, _scaled(variables))


def _scaled(table: Tensor) -> Tensor:
    """Columns of standard deviation 1, float64; constant columns become 0."""
    table = table.double()
    deviation = table.std(0, correction=0).where(table.amax(0) > table.amin(0), 1.0)
    return (table - table.mean(0)) / deviation
