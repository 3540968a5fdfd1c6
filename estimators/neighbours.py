"""Nearest neighbours and neighbour counts in the max-norm, by k-d tree or by brute force in chunks,
whichever is faster.

N points, k neighbours, D features, R points in a block.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float64, Int
from scipy.spatial import KDTree
from torch import Tensor

CHUNK = 2**20
"""Number of distances that brute force holds at a time (8 MiB), for any N."""
TREE_SEARCH = 12
"""Largest number of features at which a tree finds neighbours faster, for ten thousand points."""
TREE_COUNT = 3
"""Largest number of features at which a tree counts neighbours faster, for ten thousand points."""


def nearest(points: Float64[np.ndarray, "N D"], k: int) -> Int[np.ndarray, "N {k}"]:
    """The indices of each point's k nearest other points."""
    if points.shape[1] <= TREE_SEARCH:
        found = KDTree(points).query(points, k + 1, p=np.inf)[1]
    else:
        found = np.empty(
            (len(points), k + 1), np.intp
        )  # allocated at once: small arrays between the blocks would fragment the memory
        for rows, part in distances(points):
            found[rows] = part.topk(k + 1, largest=False)[1].numpy()
    return _others(np.asarray(found))


def reach(points: Float64[np.ndarray, "N D"], k: int) -> Float64[np.ndarray, " N"]:
    """The distance of each point to its k-th nearest other point, 0 if more than k points are
    equal; ties cost nothing.
    """
    distinct, kind, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    kept = np.minimum(counts, k + 1)
    some = np.repeat(distinct, kept, axis=0)
    first = kept.cumsum() - kept
    radius = np.abs(some[nearest(some, k)] - some[:, None]).max((1, 2))[first]
    return radius[kind.reshape(-1)]


def count_within(
    points: Float64[np.ndarray, "N D"], radius: Float64[np.ndarray, " N"]
) -> Int[np.ndarray, " N"]:
    """The number of other points within `radius` of each point."""
    if points.shape[1] == 1:
        counts = _count_on_line(points[:, 0], radius)
    elif points.shape[1] <= TREE_COUNT:
        counts = KDTree(points).query_ball_point(points, radius, p=np.inf, return_length=True)
    else:
        limits = torch.from_numpy(radius).unsqueeze(1)
        counts = np.empty(len(points), np.intp)
        for rows, part in distances(points):
            counts[rows] = (part <= limits[rows]).sum(1).numpy()
    return counts - 1


def _count_on_line(
    points: Float64[np.ndarray, " N"], radius: Float64[np.ndarray, " N"]
) -> Int[np.ndarray, " N"]:
    """The number of points within `radius` of each, itself included, by sorting.

    The ends that rounding of point + radius misplaces move until distances agree.
    """
    values, counts = np.unique(points, return_counts=True)
    below = np.concatenate([[0], counts.cumsum()])
    first = np.searchsorted(values, points - radius, side="left")
    last = np.searchsorted(values, points + radius, side="right") - 1
    inner, outer = values, np.pad(values, 1, constant_values=np.inf)
    while (wide := np.abs(inner[first] - points) > radius).any():
        first = first + wide
    while (wide := np.abs(inner[last] - points) > radius).any():
        last = last - wide
    while (narrow := np.abs(outer[first] - points) <= radius).any():
        first = first - narrow
    while (narrow := np.abs(outer[last + 2] - points) <= radius).any():
        last = last + narrow
    return below[last + 1] - below[first]


def distances(
    points: Float64[np.ndarray, "N D"],
) -> Iterator[tuple[slice, Float64[Tensor, "R N"]]]:
    """The matrix of all distances, in blocks of rows."""
    every = torch.from_numpy(points)
    rows = max(1, CHUNK // len(points))
    for start in range(0, len(points), rows):
        block = slice(start, start + rows)
        yield block, torch.cdist(every[block], every, p=torch.inf)


def _others(found: Int[np.ndarray, "N j"]) -> Int[np.ndarray, "N j-1"]:
    """Drop each point from its own neighbours, or drop the last neighbour if ties pushed the point
    itself out.
    """
    itself = found == np.arange(len(found))[:, None]
    itself[~itself.any(1), -1] = True
    return found[~itself].reshape(len(found), -1)
