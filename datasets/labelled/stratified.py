"""Split rows so that every part has its share of every label and of every group.

N rows, V variables, C cells of rows with equal values, U units of rows that must not be separated,
3 parts: training, validation and test.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Whole = NDArray[np.int64]
Parts = tuple[Tensor, Tensor, Tensor]


def parts(
    values: Tensor, order: Tensor, shares: tuple[float, float], units: Tensor | None = None
) -> Parts:
    """Indices, in increasing order, of the training, validation and test rows; `shares` are those
    of validation and test.

    `values` (N, V) are whole numbers. Rows with equal values are taken in the order (N,): the first
    ones train. Rows with the same number in `units` (N,) are in one part; units of several rows
    have the shares nearly.
    """
    if units is None:
        return _of_rows(values, order, shares)
    alone = torch.bincount(units)[units] == 1
    found = list[Parts]()
    for which, split in ((alone, _of_rows), (~alone, partial(_of_units, units[~alone]))):
        rows, local = which.nonzero()[:, 0], which.cumsum(0) - 1
        if len(rows):
            chosen = split(values[rows], local[order[which[order]]], shares)
            found.append((rows[chosen[0]], rows[chosen[1]], rows[chosen[2]]))
    train, validation, test = (torch.cat(each).sort().values for each in zip(*found, strict=True))
    return train, validation, test


def _of_units(units: Tensor, values: Tensor, order: Tensor, shares: tuple[float, float]) -> Parts:
    """The parts of rows in units (N,): the largest unit first, and the first in the order (N,)
    among equal ones, each goes where the values of its rows lack most of their shares.

    Compare Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10
    """
    columns = [np.zeros(len(values), np.int64), *values.numpy().T]
    codes = [np.unique(column, return_inverse=True)[1].ravel() for column in columns]
    starts = np.cumsum([0, *(code.max() + 1 for code in codes)])
    codes = np.stack(codes, 1) + starts[:-1]
    goal = np.outer(np.bincount(codes.ravel()), [1 - sum(shares), *shares])
    lacking, goal = np.where(goal > 0, goal, -np.inf), np.where(goal > 0, goal, 1)
    rows = order.numpy()
    _, first, number, sizes = np.unique(
        units.numpy()[rows], return_index=True, return_inverse=True, return_counts=True
    )
    members = np.split(rows[np.argsort(number.ravel(), kind="stable")], np.cumsum(sizes)[:-1])
    part = np.empty(len(rows), np.int64)
    for unit in np.lexsort((first, -sizes)):
        mine = codes[members[unit]]
        chosen = int((lacking[mine] / goal[mine]).sum((0, 1)).argmax())
        np.subtract.at(lacking[:, chosen], mine.ravel(), 1)
        part[members[unit]] = chosen
    train, validation, test = (torch.from_numpy((part == which).nonzero()[0]) for which in range(3))
    return train, validation, test


def _of_rows(values: Tensor, order: Tensor, shares: tuple[float, float]) -> Parts:
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
