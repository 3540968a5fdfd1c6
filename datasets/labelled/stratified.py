"""Split rows so that every part has its share of every label and of every group.

N rows, V variables, C cells of rows with equal values, 3 parts: training, validation and test.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Whole = NDArray[np.int64]


def parts(
    values: Tensor, order: Tensor, shares: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Indices, in increasing order, of the training, validation and test rows; `shares` are those
    of validation and test.

    `values` (N, V) are whole numbers. Rows with equal values are taken in the order (N,): the first
    ones train.
    """
    cells, cell_of, sizes = np.unique(
        values.numpy(), axis=0, return_inverse=True, return_counts=True
    )
    drawn = order.numpy()
    by_cell = drawn[np.argsort(cell_of.ravel()[drawn], kind="stable")]
    ends = allotted(cells.astype(np.int64), sizes, shares).cumsum(1)
    place = np.arange(len(drawn)) - np.repeat(sizes.cumsum() - sizes, sizes)
    part = (place[:, None] >= np.repeat(ends[:, :2], sizes, axis=0)).sum(1)
    train, validation, test = (
        torch.from_numpy(np.sort(by_cell[part == which])) for which in range(3)
    )
    return train, validation, test


def allotted(cells: Whole, sizes: Whole, shares: tuple[float, float]) -> Whole:
    """The numbers of rows of each cell (C, V) in each part, (C, 3).

    The first variable has exactly its share, rounded, in every part. The share of each of its
    cells is rounded down or up; what a value of another variable lacks by that is carried over to
    its next cells, and its rarest values come first.
    """
    groups = [np.unique(column, return_inverse=True)[1].ravel() for column in cells.T[1:]]
    counts = [np.bincount(each, sizes) for each in groups]
    rarity = np.min([sizes, *(count[of] for count, of in zip(counts, groups, strict=True))], axis=0)
    given = np.zeros((len(cells), 3), np.int64)
    for part, share in enumerate(shares, start=1):
        lacking = [np.zeros(len(count)) for count in counts]
        for value in np.unique(cells[:, 0]):
            mine = np.flatnonzero(cells[:, 0] == value)
            room, exact = sizes[mine] - given[mine].sum(1), share * sizes[mine]
            taken = np.minimum(np.floor(exact).astype(np.int64), room)
            wanted = exact - taken
            for lack, of in zip(lacking, groups, strict=True):
                wanted = wanted + lack[of[mine]]
            first = np.lexsort((-wanted, np.where(wanted < 0.5, np.inf, rarity[mine])))
            left = round(share * sizes[mine].sum()) - taken.sum()
            while left > 0:
                chosen = first[(room > taken)[first]][:left]
                taken[chosen] += 1
                left -= len(chosen)
            given[mine, part] = taken
            for lack, of in zip(lacking, groups, strict=True):
                np.add.at(lack, of[mine], exact - taken)
    given[:, 0] = sizes - given.sum(1)
    return given
