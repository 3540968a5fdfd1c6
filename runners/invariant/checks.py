"""What is wrong with labelled rows, and what a person should know of them, before anything is
trained on them.

N rows.
"""

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import Described, LabelledRows

SAME = 1e-4
"""Deviations that a feature is at most from a pivot, or from its negative, that it is."""


def warnings(described: Described, rows: LabelledRows, background: int, alone: bool) -> list[str]:
    """Warnings about training rows (N, ...).

    Raises ValueError if a number is not finite, a class is missing, a pivot never varies, also
    among the `background` where a penalty is confined to it, or there are no more rows than pivots.
    """
    if not 0 <= background < len(described.classes):
        raise ValueError(
            f"background must be the number of one of {len(described.classes)} classes, from 0, got"
            f" {background}"
        )
    for kind, names, table in (
        ("feature", described.features, rows.x),
        ("pivot", [pivot.name for pivot in described.pivots], rows.pivots),
    ):
        for name, column in zip(names, table.T, strict=True):
            if bad := int((~column.isfinite()).sum()):
                raise ValueError(
                    f"{kind} {name} must be finite, got {bad} NaN or infinite values in"
                    f" {len(column)} rows"
                )
    if len(rows) <= len(described.pivots):
        raise ValueError(
            f"there must be more rows than pivots, got {len(rows)} rows and"
            f" {len(described.pivots)} pivots"
        )
    if lacking := [
        name for label, name in enumerate(described.classes) if not (rows.labels == label).any()
    ]:
        raise ValueError(f"every class must have training rows, got none of {', '.join(lacking)}")
    among = rows.pivots[rows.labels == background] if alone else rows.pivots
    for pivot, column in zip(described.pivots, among.T, strict=True):
        if (column == column[0]).all():
            where = "background" if alone else "training"
            raise ValueError(
                f"pivot {pivot.name} must vary, got {column[0]:g} in every {where} row; no score"
                " can depend on it"
            )
    return [
        f"pivot {pivot.name} is also feature {feature}, so that what the classifier sees tells it"
        " exactly"
        for pivot, values in zip(described.pivots, rows.pivots.T, strict=True)
        for feature, column in zip(described.features, rows.x.T, strict=True)
        if same(values, column)
    ]


def same(one: Tensor, other: Tensor) -> bool:
    """Whether columns (N,) are one but for place and scale."""
    first, second = ((each - each.mean()) / each.std() for each in (one, other))
    return any(bool(((first - sign * second).abs() < SAME).all()) for sign in (1, -1))


def of_shape(described: Described, rows: LabelledRows) -> LabelledRows:
    """Rows (N, ...) of the shapes that are described.

    Raises ValueError for others.
    """
    for name, columns, table in (
        ("x", len(described.features), rows.x),
        ("pivots", len(described.pivots), rows.pivots),
    ):
        if table.ndim != 2 or table.shape[1] != columns:
            raise ValueError(
                f"{name} must have the {columns} columns that the data set describes, got"
                f" {tuple(table.shape)}"
            )
    if rows.labels.dtype != torch.int64:
        raise ValueError(f"labels must be int64, got {rows.labels.dtype}")
    return rows
