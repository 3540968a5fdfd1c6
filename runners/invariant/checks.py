"""Errors and warnings about labelled rows before training.

N rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import Described, LabelledRows
from infobound.datasets.units import firsts
from infobound.errors import DataError, SettingError
from infobound.runners.training.autocorrelation import alike

FEW = 10
"""Fewer test rows than this, of a class or of a group, are pointed out."""
SHOWN = 5
"""Maximum number of such classes or groups that a warning names."""
SAME = 1e-4
"""Maximum distance, in standard deviations, of a feature that equals a pivot or its negative."""


def warnings(described: Described, rows: LabelledRows, background: int, alone: bool) -> list[str]:
    """Warnings about training rows (N, ...).

    Raises ValueError if a number is not finite, a class is missing, a pivot is constant (also
    within the `background` if the penalty is restricted to it), or there are no more rows than
    pivots.
    """
    if not 0 <= background < len(described.classes):
        raise SettingError(
            "background",
            f"must be the number of one of {len(described.classes)} classes, from 0",
            background,
        )
    _finite("feature", described.features, rows.x)
    _finite("pivot", [pivot.name for pivot in described.pivots], rows.pivots)
    _enough(described, rows)
    where = "background" if alone else "training"
    _varying(described, rows.of_class(background) if alone else rows, where)
    return [
        f"pivot {pivot.name} is also feature {feature}, so the classifier's input determines it"
        " exactly"
        for pivot, values in zip(described.pivots, rows.pivots.T, strict=True)
        for feature, column in zip(described.features, rows.x.T, strict=True)
        if same(values, column)
    ]


def scarce(described: Described, test: LabelledRows) -> list[str]:
    """Warnings about classes and groups that have few or no test rows, and about weights of 0."""
    weights = test.weights
    counts = torch.ones_like(test.labels) > 0 if weights is None else weights > 0
    variables = [("label", described.classes, test.labels)]
    for index, (name, categories) in enumerate(described.pivots):
        if categories:
            variables.append((name, categories, test.pivots[:, index].long()))
    few = [
        f"{rows or 'none'} where {name} = {value}"
        for name, values, codes in variables
        for value, rows in zip(
            values, torch.bincount(codes[counts], minlength=len(values)).tolist(), strict=True
        )
        if rows < FEW
    ]
    said = list[str]()
    if few:
        more = f" and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
        said.append(
            f"few test rows: {', '.join(few[:SHOWN])}{more}; measures that compare them are"
            " uncertain, or leave them out"
        )
    if (rows := int(counts.sum())) < len(test) / 2:
        said.append(
            f"{len(test) - rows} of {len(test)} test rows have a weight of 0, and count neither in"
            " the classifier's loss nor in its accuracy"
        )
    return said


def in_order(rows: LabelledRows) -> list[str]:
    """A warning if neighbouring rows of the most frequent class are alike in features and pivots.
    Of each unit, such as a group, the first row is looked at.
    """
    if rows.units is not None:
        rows = rows.take(firsts(rows.units))
    most = rows.of_class(int(rows.labels.mode().values))
    if (found := alike(most.x.nan_to_num(), most.pivots)) is None:
        return []
    return [
        f"neighbouring rows are alike in features and pivots, so {found.rows} rows of a class are"
        f" worth about {found.effective:.0f} independent ones: information may be too high, errors"
        " and p-values too small; keep stretches of rows together by dataset.groups, or shuffle"
        " them if their order means nothing"
    ]


def _finite(kind: str, names: Sequence[str], table: Tensor) -> None:
    """Raise DataError unless all numbers of a table (N, D) are finite."""
    for name, column in zip(names, table.T, strict=True):
        if bad := int((~column.isfinite()).sum()):
            raise DataError(
                f"{kind} {name}",
                "must be finite",
                f"{bad} values that are NaN, infinite or beyond float32 in {len(column)} rows",
                "drop, fill or scale them, or leave the column out",
            )


def _enough(described: Described, rows: LabelledRows) -> None:
    """Raise ValueError unless every class has rows, and there are more rows than pivots."""
    if len(rows) <= len(described.pivots):
        raise ValueError(
            f"there must be more rows than pivots, got {len(rows)} rows and"
            f" {len(described.pivots)} pivots"
        )
    known = {*rows.labels.unique().tolist()}
    if lacking := [name for label, name in enumerate(described.classes) if label not in known]:
        raise DataError("every class", "must have training rows", f"none of {', '.join(lacking)}")


def _varying(described: Described, rows: LabelledRows, where: str) -> None:
    """Raise DataError if a pivot is constant."""
    for pivot, column in zip(described.pivots, rows.pivots.T, strict=True):
        if (column == column[0]).all():
            raise DataError(
                f"pivot {pivot.name}",
                "must vary",
                f"{column[0]:g} in every {where} row",
                "no score can depend on it",
            )


def same(one: Tensor, other: Tensor) -> bool:
    """Whether columns (N,) are equal up to location and scale."""
    first, second = ((each - each.mean()) / each.std() for each in (one, other))
    return any(bool(((first - sign * second).abs() < SAME).all()) for sign in (1, -1))


def of_shape(described: Described, rows: LabelledRows) -> LabelledRows:
    """Return rows (N, ...) after checking their shapes against the description.

    Raises ValueError for other shapes.
    """
    for name, columns, table in (
        ("x", len(described.features), rows.x),
        ("pivots", len(described.pivots), rows.pivots),
    ):
        if table.ndim != 2 or table.shape[1] != columns:
            raise DataError(
                name,
                f"must have the {columns} columns that the data set describes",
                tuple(table.shape),
            )
    if rows.labels.dtype != torch.int64:
        raise DataError("labels", "must be int64", rows.labels.dtype)
    return rows
