"""Nearest neighbours and neighbour counts in the max-norm, by k-d tree or by brute force in chunks,
whichever is faster.

N points, D features.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from infobound.estimators.rows import Table

CHUNK = 2**20
"""Distances held at a time by brute force (8 MiB), whatever N is."""
TREE_SEARCH = 12
"""Most features at which a tree finds neighbours faster, at ten thousand points."""
TREE_COUNT = 3
"""Most features at which a tree counts points in a ball faster, at ten thousand points."""


def nearest(points: Table, k: int) -> NDArray[np.intp]:
    """(N, k): the indices of each point's k nearest other points (N, D)."""
    if points.shape[1] <= TREE_SEARCH:
        found = KDTree(points).query(points, k + 1, p=np.inf)[1]
    else:
        found = np.empty(
            (len(points), k + 1), np.intp
        )  # made at once: small arrays between the blocks keep their room taken
        for rows, part in _distances(points):
            found[rows] = part.topk(k + 1, largest=False)[1].numpy()
    return _others(np.asarray(found))


def count_within(points: Table, radius: Table) -> NDArray[np.intp]:
    """(N,): how many other points (N, D) lie at most `radius` (N,) from each point."""
    if points.shape[1] <= TREE_COUNT:
        counts = KDTree(points).query_ball_point(points, radius, p=np.inf, return_length=True)
    else:
        limits = torch.from_numpy(radius).unsqueeze(1)
        counts = np.empty(len(points), np.intp)
        for rows, part in _distances(points):
            counts[rows] = (part <= limits[rows]).sum(1).numpy()
    return counts - 1


def _distances(points: Table) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of rows of the (N, N) distances."""
    every = torch.from_numpy(points)
    rows = max(1, CHUNK // len(points))
    for start in range(0, len(points), rows):
        block = slice(start, start + rows)
        yield block, torch.cdist(every[block], every, p=torch.inf)


def _others(found: NDArray[np.intp]) -> NDArray[np.intp]:
    """(N, k) of (N, k + 1) without each point itself, or without the last where ties have pushed
    the point itself out.
    """
    itself = found == np.arange(len(found))[:, None]
    itself[~itself.any(1), -1] = True
    return found[~itself].reshape(len(found), -1)
