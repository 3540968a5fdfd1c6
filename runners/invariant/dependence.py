"""Information between scores and what may be numbers, categories or both, by nearest neighbours.

N rows, D scores, P variables.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimate
from infobound.estimators.ksg import KSG
from infobound.runners.invariant.predictions import Numbers
from infobound.runners.training import permutation
from infobound.runners.training.permutation import Permuted

READ = KSG(k=5, version=1, lnc=None)
APART = 1e4
"""Between two categories, in deviations of a score: no row's neighbour is of another."""


def information(scores: Numbers, variables: Numbers, categories: Sequence[int]) -> SampleEstimate:
    """I(scores; variables) in nats of rows (N, D) and (N, P); `categories` is 0 for each variable
    of numbers.

    Kraskov et al. 2004; where categories lie far apart it is Ross 2014,
    https://doi.org/10.1371/journal.pone.0087357
    """
    return READ(*_tables(scores, variables, categories))


def permuted(
    scores: Numbers, variables: Numbers, categories: Sequence[int], permutations: int, seed: int
) -> Permuted:
    """The same, and for variables that are permuted."""
    source = torch.Generator().manual_seed(seed)
    return permutation.of_rows(READ, *_tables(scores, variables, categories), permutations, source)


def _tables(
    scores: Numbers, variables: Numbers, categories: Sequence[int]
) -> tuple[Tensor, Tensor]:
    places = np.array([APART if count else 0.0 for count in categories])
    return torch.from_numpy(_scaled(scores)), torch.from_numpy(
        np.where(places > 0, places * variables, _scaled(variables))
    )


def _scaled(table: Numbers) -> Numbers:
    """Columns of deviation 1; those that never vary are 0."""
    deviation = table.std(0)
    return (table - table.mean(0)) / np.where(deviation > 0, deviation, 1)
