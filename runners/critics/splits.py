"""Splits of a finite table: the training, validation and test rows of every copy or fold.

R copies, N rows.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.interfaces import Rows
from infobound.datasets.transforms import Fitted
from infobound.errors import SettingError
from infobound.runners.training.randomness import generator

Split = Literal["train", "validation", "test"]


class Part(NamedTuple):
    """One split of every copy; the numbers of rows of folds may differ by one."""

    x: Sequence[Tensor]
    """R tables (N, dim_x)."""
    y: Sequence[Tensor]
    """R tables (N, dim_y)."""
    rows: Sequence[Tensor]
    """R times (N,), the positions of these rows in the whole table."""

    def first(self, count: int) -> "Part":
        """Up to this many rows of every copy."""
        return Part(*([each[:count] for each in copies] for copies in self))


Changes = tuple[Fitted, Fitted]
"""The transforms of x and of y before a copy sees them."""


class Splits(NamedTuple):
    """A table split for every copy, and the transforms of each copy's rows."""

    parts: Mapping[Split, Part]
    changes: Sequence[Changes]


def split_rows(rows: Rows, *, seed: int, replicates: int, device: torch.device) -> Splits:
    """The training, validation and test rows of every copy, transformed as fitted on the copy's own
    training rows.

    Each copy has its own split. With `rows.folds` there is one copy for each fold, and each row is
    a test row in exactly one fold.

    Raises ValueError if a split would hold fewer than four rows, or for replicates of folds.
    """
    if rows.folds is not None and replicates > 1:
        raise SettingError(
            "replicates",
            "must be 1 with dataset.folds, because each fold is a copy",
            replicates,
            "sweep over seed, or use dataset.folds=null",
        )
    chosen = [
        _own_split(rows, seed, copy) if rows.folds is None else _fold(rows, rows.folds, seed, copy)
        for copy in range(rows.folds or replicates)
    ]
    sizes = [min(map(len, part)) for part in zip(*chosen, strict=True)]
    if min(sizes) < 4:
        raise ValueError(
            f"each split needs at least 4 rows, got {sizes[0]} for training, {sizes[1]} for"
            f" validation and {sizes[2]} for test; collect more, or change dataset.folds,"
            " validation or test"
        )
    fit = getattr(transforms, rows.transform)
    changes: list[Changes] = [(fit(rows.x[train]), fit(rows.y[train])) for train, *_ in chosen]
    train, validation, test = (
        _part(rows, part, changes, device) for part in zip(*chosen, strict=True)
    )
    return Splits({"train": train, "validation": validation, "test": test}, changes)


def training_rows(rows: Rows) -> int:
    """The number of training rows of a copy, up to one."""
    total, validation = len(rows.x), round(len(rows.x) * rows.validation)
    if rows.folds is not None:
        return total - -(-total // rows.folds) - validation
    return (
        total - validation - (rows.test if isinstance(rows.test, int) else round(total * rows.test))
    )


def whole(rows: Rows, changes: Sequence[Changes], device: torch.device) -> Part:
    """Every row of the table for every copy, with the transform of the copy's training rows."""
    return _part(rows, [torch.arange(len(rows.x))] * len(changes), changes, device)


def _part(
    rows: Rows, chosen: Sequence[Tensor], changes: Sequence[Changes], device: torch.device
) -> Part:
    x = [change(rows.x[part]).to(device) for part, (change, _) in zip(chosen, changes, strict=True)]
    y = [change(rows.y[part]).to(device) for part, (_, change) in zip(chosen, changes, strict=True)]
    return Part(x, y, chosen)


def _own_split(rows: Rows, seed: int, copy: int) -> Sequence[Tensor]:
    """Indices of a copy's training, validation and test rows."""
    total, last = len(rows.x), rows.test if isinstance(rows.test, int) else 0
    validation, test = round(total * rows.validation), last or round(total * rows.test)
    order = torch.cat([_order(total - last, seed, copy), torch.arange(total - last, total)])
    return order.split([total - validation - test, validation, test])


def _fold(rows: Rows, folds: int, seed: int, fold: int) -> Sequence[Tensor]:
    """Indices of a fold's training, validation and test rows; the validation rows are the last rows
    outside the fold.
    """
    parts = _order(len(rows.x), seed, 0).tensor_split(folds)
    others = torch.cat([part for index, part in enumerate(parts) if index != fold])
    validation = round(len(rows.x) * rows.validation)
    return *others.split([len(others) - validation, validation]), parts[fold]


def _order(total: int, seed: int, copy: int) -> Tensor:
    return torch.randperm(total, generator=generator(torch.device("cpu"), seed, copy, "split"))
