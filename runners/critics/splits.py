"""Splits of a finite table: the training, validation and test rows of every copy or fold.

R copies, N rows, U units: rows that must not be separated.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.interfaces import Rows
from infobound.datasets.transforms import Fitted
from infobound.errors import SettingError
from infobound.runners.training.autocorrelation import Memory, memory_of
from infobound.runners.training.randomness import generator

Split = Literal["train", "validation", "test"]
READ = 2**17
"""Maximum number of rows of a split that a copy reads, evenly spaced if there are more, so that a
reading takes no longer for a larger table.
"""
MIXED = 400
"""Maximum number of held-out rows among which units are mixed: a tenth of a block."""


class Part(NamedTuple):
    """One split of every copy; the numbers of rows of folds may differ by one."""

    x: Sequence[Tensor]
    """R tables (N, dim_x)."""
    y: Sequence[Tensor]
    """R tables (N, dim_y)."""
    rows: Sequence[Tensor]
    """R times (N,), the positions of these rows in their file."""
    units: Sequence[Tensor] | None = None
    """R times (N,), the unit of each row as a number; None if every row is on its own."""

    def first(self, count: int) -> "Part":
        """Up to this many rows of every copy."""
        return self._with(lambda rows: rows[:count])

    def spaced(self) -> "Part":
        """Up to READ rows of every copy, evenly spaced."""
        return self._with(spaced)

    def _with(self, kept: Callable[[Tensor], Tensor]) -> "Part":
        x, y, rows, units = ([*map(kept, copies or ())] for copies in self)
        return Part(x, y, rows, units or None)


Changes = tuple[Fitted, Fitted]
"""The transforms of x and of y before a copy sees them."""


class Splits(NamedTuple):
    """A table split for every copy, and the transforms of each copy's rows."""

    parts: Mapping[Split, Part]
    changes: Sequence[Changes]
    memory: Memory | None
    """The memory of rows that follow one another."""


def split_rows(rows: Rows, *, seed: int, replicates: int, device: torch.device) -> Splits:
    """The training, validation and test rows of every copy, transformed as fitted on the copy's own
    training rows.

    Each copy has its own split. With `rows.folds` there is one copy for each fold, and each row is
    a test row in exactly one fold. The rows of a unit are in one split. Held-out rows are nearly in
    the order of their units, so that a standard error over consecutive rows is one over units; they
    are mixed within a tenth, so that a row's next one is rarely of its own unit.

    Rows that follow one another are split into contiguous parts with gaps between them.

    Of held-out rows, up to READ are there.

    Raises ValueError if a split would hold fewer than four rows, or for replicates of folds.
    """
    if rows.folds is not None and replicates > 1:
        raise SettingError(
            "replicates",
            "must be 1 with dataset.folds, because each fold is a copy",
            replicates,
            "sweep over seed, or use dataset.folds=null",
        )
    memory = memory_of(rows)
    if memory is not None:
        split = partial(_contiguous, rows, _gap(rows, memory))
    elif rows.folds is None:
        split = partial(_own_split, rows)
    else:
        split = partial(_fold, rows, rows.folds)
    chosen = [split(seed, copy) for copy in range(rows.folds or replicates)]
    if rows.about.units is not None:
        chosen = [
            (train, *(_mixed(part, seed, copy) for part in held_out))
            for copy, (train, *held_out) in enumerate(chosen)
        ]
    sizes = [min(map(len, part)) for part in zip(*chosen, strict=True)]
    if min(sizes) < 4:
        raise ValueError(
            f"each split needs at least 4 rows, got {sizes[0]} for training, {sizes[1]} for"
            f" validation and {sizes[2]} for test; collect more, or change dataset.folds,"
            f" validation or test{_together(rows)}"
        )
    fit = getattr(transforms, rows.transform)
    changes: list[Changes] = [(fit(rows.x[train]), fit(rows.y[train])) for train, *_ in chosen]
    train, *held_out = zip(*chosen, strict=True)
    validation, test = ([*map(spaced, part)] for part in held_out)
    parts: dict[Split, Part] = {
        "train": _part(rows, train, changes, device),
        "validation": _part(rows, validation, changes, device),
        "test": _part(rows, test, changes, device),
    }
    return Splits(parts, changes, memory)


def spaced(rows: Tensor) -> Tensor:
    """Up to READ rows (N, ...), evenly spaced; no view of more rows than these."""
    stride = -(-len(rows) // READ)
    return rows if stride <= 1 else rows[::stride].clone()


def training_rows(rows: Rows) -> int:
    """The number of training rows of a copy, up to one."""
    memory = memory_of(rows)
    return _without_gaps(rows) - (0 if memory is None else 3 * _gap(rows, memory))


def _without_gaps(rows: Rows) -> int:
    total, validation = len(rows.x), round(len(rows.x) * rows.validation)
    return total - validation - _tested(rows)


def _tested(rows: Rows) -> int:
    """The number of test rows of a copy, up to one."""
    if rows.folds is not None:
        return -(-len(rows.x) // rows.folds)
    return rows.test if isinstance(rows.test, int) else round(len(rows.x) * rows.test)


def _gap(rows: Rows, memory: Memory) -> int:
    """The number of rows between two parts; three gaps leave at least half of the training rows."""
    return min(memory.gap, _without_gaps(rows) // 6)


def whole(rows: Rows, changes: Sequence[Changes], device: torch.device) -> Part:
    """Every row of the table, up to READ, for every copy, with the transform of the copy's training
    rows.
    """
    chosen = torch.arange(len(rows.x))
    if rows.about.order == "time":
        chosen = _shuffled(chosen, 0, 0)
    chosen = spaced(chosen)
    return _part(rows, [chosen] * len(changes), changes, device)


def _part(
    rows: Rows, chosen: Sequence[Tensor], changes: Sequence[Changes], device: torch.device
) -> Part:
    x = [change(rows.x[part]).to(device) for part, (change, _) in zip(chosen, changes, strict=True)]
    y = [change(rows.y[part]).to(device) for part, (_, change) in zip(chosen, changes, strict=True)]
    places, units = rows.about.places, rows.about.units
    return Part(
        x,
        y,
        chosen if places is None else [places[part] for part in chosen],
        None if units is None else [units[part] for part in chosen],
    )


def _own_split(rows: Rows, seed: int, copy: int) -> Sequence[Tensor]:
    """Indices of a copy's training, validation and test rows."""
    total, last = len(rows.x), rows.test if isinstance(rows.test, int) else 0
    validation, test = round(total * rows.validation), last or round(total * rows.test)
    order = _order(rows, total - last, seed, copy)
    order = torch.cat([order, torch.arange(total - last, total)])
    return _cut(order, rows, [total - validation - test, validation, test])


def _fold(rows: Rows, folds: int, seed: int, fold: int) -> Sequence[Tensor]:
    """Indices of a fold's training, validation and test rows; the validation rows are the last rows
    outside the fold.
    """
    total = len(rows.x)
    sizes = [total // folds + (index < total % folds) for index in range(folds)]
    parts = _cut(_order(rows, total, seed, 0), rows, sizes)
    others = torch.cat([part for index, part in enumerate(parts) if index != fold])
    validation = round(total * rows.validation)
    return *_cut(others, rows, [len(others) - validation, validation]), parts[fold]


def _contiguous(rows: Rows, gap: int, seed: int, copy: int) -> Sequence[Tensor]:
    """Indices of a copy's training, validation and test rows that follow one another in a circle: a
    fold or a stretch at random for the test, a gap, the validation rows, a gap, the training rows,
    a gap.

    Test and validation rows are in random order, so that a row's partners in its block are no
    neighbours.
    """
    total, validation, test = len(rows.x), round(len(rows.x) * rows.validation), _tested(rows)
    if rows.folds is not None:
        fold = torch.arange(total).tensor_split(rows.folds)[copy]
        start, test = int(fold[0]), len(fold)
    elif isinstance(rows.test, int):
        start = total - test
    else:
        start = int(_shuffled(torch.arange(total - test + 1), seed, copy)[0])
    circle = torch.arange(total).roll(-start)
    begin = test + gap
    end = begin + validation
    train, held_out = circle[end + gap : total - gap], (circle[begin:end], circle[:test])
    return train, *(_shuffled(part, seed, copy) for part in held_out)


def _shuffled(part: Tensor, seed: int, copy: int) -> Tensor:
    source = generator(torch.device("cpu"), seed, copy, "split")
    return part[torch.randperm(len(part), generator=source)]


def _order(rows: Rows, total: int, seed: int, copy: int) -> Tensor:
    """The first `total` rows in random order, the rows of each unit one after the other."""
    source = generator(torch.device("cpu"), seed, copy, "split")
    if rows.about.units is None:
        return torch.randperm(total, generator=source)
    found, number = rows.about.units[:total].unique(return_inverse=True)
    return torch.randperm(len(found), generator=source)[number].argsort(stable=True)


def _cut(order: Tensor, rows: Rows, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Cut rows in the order of their units into parts of these sizes, or the nearest that separate
    no unit.
    """
    ends = [*itertools.accumulate(sizes)][:-1]
    if rows.about.units is not None:
        of = rows.about.units[order]
        begins = [0, *((of[1:] != of[:-1]).nonzero()[:, 0] + 1).tolist(), len(of)]
        ends = [min(begins, key=lambda begin: abs(begin - end)) for end in ends]
    return order.tensor_split(ends)


def _mixed(part: Tensor, seed: int, copy: int) -> Tensor:
    """Rows in random order within each tenth, or less, of a part."""
    source = generator(torch.device("cpu"), seed, copy, "mixed", len(part))
    pieces = part.tensor_split(max(10, -(-len(part) // MIXED)))
    return torch.cat([piece[torch.randperm(len(piece), generator=source)] for piece in pieces])


def _together(rows: Rows) -> str:
    """A word on the rows that must not be separated."""
    units = rows.about.units
    if units is None:
        return ""
    return f": the rows form {len(units.unique())} groups, each of which stays in one split"
