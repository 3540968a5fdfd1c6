"""Units of a table: rows that must not be separated, because they are copies or of one group.

N rows, D columns.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SAMPLED = 1000
"""Maximum number of rows whose neighbours are counted."""
FEW = 10
"""Minimum number of rows with an equal row that are told from chance."""
FINEST = 4
"""Gaps below this many rounding errors of a column are not steps between its values."""
MIX = 0x2545F4914F6CDD1D
"""An odd number without a pattern in its bits."""


class Copies(NamedTuple):
    """The copies of rows in a table."""

    numbers: Tensor | None
    """(N,) int64, the same for copies of one row; None if there are none."""
    counted: Sequence[str]
    """A clause that says how many there are; empty if there are none."""

    def joined(self, groups: Tensor | None) -> Tensor | None:
        """Number the rows (N,) so that copies, and rows of one of the `groups` (N,), have the same
        number; None if every row is on its own.
        """
        if self.numbers is None or groups is None:
            return groups if self.numbers is None else self.numbers
        return joined(groups, self.numbers)


def copies(x: Tensor, y: Tensor) -> Copies:
    """The copies among rows x (N, dim_x), y (N, dim_y)."""
    if (numbers := repeated(x, y)) is None:
        return Copies(None, ())
    total, different = len(numbers), int(numbers.max()) + 1
    line = f"{total - different} of {total} rows are copies of the other {different}, more than"
    return Copies(numbers, (f"{line} chance gives",))


def repeated(x: Tensor, y: Tensor) -> Tensor | None:
    """Number the rows (N,) so that copies of one row have the same number; None if equal rows of x
    (N, dim_x), y (N, dim_y) can be chance, as in columns of categories or rounded numbers.

    Equal rows of a side, x or y, are copies if they are more than the rows that are one step from
    each other: in a smooth density that is rounded, a value has about as many rows as its
    neighbour. A value of more than sqrt(N) rows is taken to be discrete, such as the zeros of
    rainfall. Rows that are equal in this side must also be equal in the other, more often than any
    two rows; otherwise the side is only constant within a group.
    """
    sides = _numbered(x), _numbered(y)
    pairs = _numbered(torch.stack(sides, 1))
    ordered = np.sort(pairs.numpy())  # a tenth of the time of the count of each row's copies
    if int((ordered[1:] == ordered[:-1]).sum()) < FEW / 2:
        return None
    copies = torch.zeros(len(x), dtype=torch.bool)
    for table, side, other in ((x, *sides), (y, *reversed(sides))):
        copies |= _copies(table, side, other, pairs)
    if not copies.any():
        return None
    return torch.where(copies, pairs, len(x) + torch.arange(len(x))).unique(return_inverse=True)[1]


def joined(first: Tensor, second: Tensor) -> Tensor:
    """Number the rows (N,) so that those of one unit in either numbering have the same number."""
    found, before = torch.arange(len(first)), torch.empty(0)
    kinds = [each.unique(return_inverse=True)[1] for each in (first, second)]
    while not torch.equal(found, before):
        before = found
        for kind in kinds:
            found = found.scatter_reduce(0, kind, found, "amin", include_self=False)[kind]
    return found


def firsts(number: Tensor) -> Tensor:
    """The positions (M,), in increasing order, of the first rows of all M units numbered (N,)."""
    _, first = np.unique(number.cpu().numpy(), return_index=True)
    return torch.from_numpy(np.sort(first)).to(number.device)


def _copies(table: Tensor, side: Tensor, other: Tensor, pairs: Tensor) -> Tensor:
    """Whether each row (N,) has copies, judged by one side."""
    total, equal, both = len(table), _others(side), _others(pairs)
    shared = equal < math.sqrt(total)
    copied = shared & (both > 0)
    if int(copied.sum()) < FEW:
        return torch.zeros_like(copied)
    base = float(_others(other).mean(dtype=torch.float64)) / (total - 1)
    found, chance = float(both[shared].sum()), float(equal[shared].sum())
    if (
        found - base * chance <= (1 - base) * chance / 2
        or _neighbours(table, side, shared) >= chance
    ):
        return torch.zeros_like(copied)
    return copied


def _neighbours(table: Tensor, side: Tensor, among: Tensor) -> float:
    """The number of other rows that are at most one step from each row in every column but not
    equal to it, in total over the rows `among`; it is estimated from a sample of them.
    """
    columns = [_in_steps(column) for column in table.T]
    rows = among.nonzero()[:, 0]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    sample, count = rows[order[:SAMPLED]].tolist(), 0
    for row in sample:
        near = (side != side[row]).nonzero()[:, 0]
        for column in columns:
            near = near[(column[near] - column[row]).abs() < 1.5]
            if not len(near):
                break
        count += len(near)
    return count * len(rows) / len(sample)


def _in_steps(column: Tensor) -> Tensor:
    """A column (N,) in units of the smallest gap between its values, float64."""
    ordered = column.unique()
    rounding = torch.finfo(column.dtype).eps * float(ordered.abs().max())
    gaps = ordered.double().diff()
    gaps = gaps[gaps > FINEST * rounding]
    return column.double() / float(gaps.min()) if len(gaps) else torch.zeros_like(column).double()


def _others(number: Tensor) -> Tensor:
    """How many other rows have each row's number, (N,)."""
    _, inverse, counts = number.unique(return_inverse=True, return_counts=True)
    return counts[inverse] - 1


def _numbered(table: Tensor) -> Tensor:
    """A number (N,) int64 for each row of a table, equal for equal rows; two other rows have the
    same one with probability 2^-64.
    """
    kind = torch.int32 if table.element_size() == 4 else torch.int64
    bits = (table + 0).contiguous().view(kind).long()  # -0.0 + 0 is 0.0
    found = torch.zeros(len(table), dtype=torch.int64)
    for column in bits.T:
        found = (found ^ column) * MIX
        found = found ^ (found >> 32)
    return found
