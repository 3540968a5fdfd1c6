"""The columns of a table of labelled rows as numbers: features, label, pivots and weights.

N rows, D features, P pivots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype
from torch import Tensor

from infobound.datasets.files import codes, columns, sides
from infobound.datasets.files.tables import check_size, rounds
from infobound.datasets.labelled.rows import LabelledRows, Pivot
from infobound.errors import DataError, SettingError, in_words

Numbers = NDArray[np.float64]
Missing = Literal["refuse", "drop", "zero", "median"]
"""The treatment of missing values: refuse the table, drop the row, or set a feature to 0 or to its
training median.
"""
LABEL, PIVOT, WEIGHT = "_label", "_pivot", "_weight"
"""Names of the columns that are not features; a pivot's name starts with `_pivot`."""
CLASSES = 100
"""Maximum number of classes."""
LIGHTEST, HEAVIEST = 1e-30, 1e30
"""Limits of the greatest weight of a row, so that float32 can hold sums and quotients."""
FEW = 10
"""A pivot with at most this many different whole numbers is taken to be categorical by default."""


class Columns(NamedTuple):
    """A table's rows, and the meaning of their columns."""

    features: Sequence[str]
    classes: Sequence[str]
    pivots: Sequence[Pivot]
    rows: LabelledRows
    """NaN where a feature is missing and will be filled."""
    told: Sequence[str]
    """Warnings of columns that look like codes."""


@dataclass(frozen=True)
class Schema:
    """Columns whose names start with `_` are not features: `_label`, one or several `_pivot...`,
    and `_weight`.

    `categorical` lists the categorical pivots; by default these are pivots of text, of booleans,
    and of up to FEW different whole numbers. `categories` lists further columns that are
    categories. The column `groups` is no feature.
    """

    categorical: Sequence[str] | None
    missing: Missing
    groups: str | None = None
    categories: Sequence[str] | None = None

    def __call__(self, frame: pd.DataFrame) -> Columns:
        """Read the columns of a table from which rows to drop are already removed.

        Raises ValueError that names the column if it is missing, lacks values, or has values that
        are not allowed.
        """
        own = [name for name in frame if str(name).startswith(PIVOT)]
        if LABEL not in frame or not own:
            lacking = PIVOT if LABEL in frame else LABEL
            raise DataError(
                f"column {lacking}",
                "is missing",
                remedy=f"the table has {in_words(frame)}",
            )
        if unknown := sorted({*(self.categorical or ())} - {*own}):
            raise SettingError(
                "categorical", f"must name columns of pivots, {in_words(own)}", in_words(unknown)
            )
        if frame.empty:
            raise ValueError(
                "there must be rows, got none; the file has none, or dataset.missing=drop drops all"
            )
        if not len(frame) > len(own):
            raise ValueError(
                f"there must be more rows than pivots, got {len(frame)} rows and {len(own)} pivots"
            )
        given = {
            str(name): pd.Series(frame[name])
            for name in frame
            if not str(name).startswith("_") and name != self.groups
        }
        sides.check_listed(self.categories, "features or pivots", [*given, *own])
        features = self._features(given)
        labels, classes = _coded(pd.Series(frame[LABEL]), CLASSES)
        read = [self._pivot(pd.Series(frame[name])) for name in own]
        names = [pivot.name for pivot, _ in read]
        if len({*names}) < len(names):
            raise ValueError(
                f"names of pivots must differ after the leading _pivot and _, got {in_words(own)};"
                " rename one"
            )
        rows = LabelledRows(
            _table("features", [*features.values()]),
            torch.from_numpy(labels),
            _table("pivots", [each for _, each in read]),
            torch.tensor(_weights(pd.Series(frame[WEIGHT]))).float() if WEIGHT in frame else None,
        )
        quantities = [column for name, column in given.items() if not self._listed(name)]
        for name, (pivot, _) in zip(own, read, strict=True):
            quantities += [] if pivot.categories else [pd.Series(frame[name])]
        doubts = [
            line
            for column in quantities
            for line in codes.doubts(column, f"use dataset.categories=[{column.name}]")
        ]
        return Columns([*features], classes, [pivot for pivot, _ in read], rows, doubts)

    def read(self, frame: pd.DataFrame) -> list[str]:
        """The names of the columns to read.

        Raises ValueError if `groups` is the label, or not among the columns.
        """
        names = [*map(str, frame)]
        if self.groups is not None and (self.groups not in names or self.groups == LABEL):
            others = in_words(name for name in names if name != LABEL)
            raise SettingError(
                "groups", "must name a column other than the label", self.groups, f"it has {others}"
            )
        return [
            name
            for name in names
            if not name.startswith("_")
            or name in (LABEL, WEIGHT, self.groups)
            or name.startswith(PIVOT)
        ]

    def _listed(self, name: str) -> bool:
        return name in (self.categories or ())

    def _features(self, frame: Mapping[str, pd.Series]) -> dict[str, Numbers]:
        if not frame:
            raise ValueError(
                "the table must have features, columns whose names do not start with _, got none"
            )
        found = dict[str, Numbers]()
        for name, column in frame.items():
            known = pd.Series(column.dropna()) if self.missing in ("zero", "median") else column
            numbers = columns.numbers(known, category=self._listed(name))
            text = self._listed(name) or columns.text(column)
            filled = np.full(
                (len(column), numbers.shape[1]), 0.0 if text or self.missing == "zero" else np.nan
            )
            filled[column.index.isin(known.index)] = numbers
            kinds = sorted(known.unique()) if text else []
            names = [f"{name}={name_of(each)}" for each in kinds] or [name]
            found |= dict(zip(names, filled.T, strict=True))
        return found

    def _pivot(self, column: pd.Series) -> tuple[Pivot, Numbers]:
        """Read a pivot and its values (N,)."""
        name = str(column.name).removeprefix(PIVOT).strip("_") or "pivot"
        if len(column) > 1 and column.nunique(dropna=False) == 1:
            raise DataError(
                f"column {column.name}",
                "must vary",
                f"{column.iloc[0]} in every row",
                "no score can depend on it",
            )
        guessed = _categories(column) if self.categorical is None else False
        listed = [*(self.categorical or ()), *(self.categories or ())]
        if guessed or column.name in listed:
            numbers, categories = _coded(column, columns.CATEGORIES)
            return Pivot(name, categories), numbers.astype(np.float64)
        if columns.text(column):
            raise DataError(
                f"column {column.name}",
                "must hold numbers",
                f"{column.iloc[0]!r}",
                "add it to dataset.categorical",
            )
        return Pivot(name, ()), columns.numbers(column)[:, 0]


def _table(name: str, columns: Sequence[Numbers]) -> Tensor:
    """Stack columns (N,) into (N, D) float32, or float64 if float32 would round away part of the
    variation; errors use `name`.
    """
    table = np.stack(columns, axis=1)
    check_size(name, table)
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is refused
        return torch.from_numpy(table if rounds(table) else table.astype(np.float32))


def _categories(column: pd.Series) -> bool:
    """Whether a pivot is taken to be categorical."""
    if columns.text(column) or is_bool_dtype(column):
        return True
    return column.nunique() <= FEW and bool(np.all(column.dropna().to_numpy(np.float64) % 1 == 0))


def _coded(column: pd.Series, most: int) -> tuple[NDArray[np.int64], Sequence[str]]:
    """Number the values (N,) from 0 in their sorted order, and return their names too."""
    if bad := int(column.isna().sum()):
        raise DataError(
            f"column {column.name}",
            "must have every value",
            f"{bad} missing",
            "drop or fill these rows",
        )
    numbers, found = pd.factorize(column.to_numpy(), sort=True)
    if not 2 <= len(found) <= most:
        raise DataError(
            f"column {column.name}",
            f"must hold 2 to {most} different values",
            f"{len(found)}, such as {column.iloc[0]}",
        )
    return numbers.astype(np.int64), [*map(name_of, found)]


def name_of(value: object) -> str:
    """The name of a category, without the fraction of a whole number."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value.is_integer() else f"{value:g}"


def _weights(column: pd.Series) -> Numbers:
    if columns.text(column):
        raise DataError(f"column {WEIGHT}", "must hold numbers", f"{column.iloc[0]!r}")
    weights = column.to_numpy(np.float64)
    if bad := int((~((weights >= 0) & (weights <= HEAVIEST))).sum()):
        raise DataError(
            f"column {WEIGHT}", f"must hold numbers from 0 to {HEAVIEST:g}", f"{bad} that are not"
        )
    if weights.max() < LIGHTEST:
        raise DataError(
            f"column {WEIGHT}",
            f"must be at least {LIGHTEST:g} in some rows",
            f"at most {weights.max():g}",
            "leave it out for equal weights",
        )
    return weights
