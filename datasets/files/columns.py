"""Columns of a file, converted to numbers."""

import re
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from infobound.datasets.files import frames
from infobound.datasets.files.csv_text import CsvText
from infobound.errors import DataError, SelfPairError, SettingError

PLAIN = re.compile(r"[-+]?\d+(\.\d+)?")
WRITTEN = {
    "decimal commas": (re.compile(r"[-+]?\d+,\d+"), "use dataset.decimal=comma"),
    "percent signs": (re.compile(r"[-+]?\d+([.,]\d+)?\s*%"), "write shares as numbers"),
    "thousands separators": (
        re.compile(r"[-+]?\d{1,3}([,.'\u00a0\u202f ]\d{3})+([.,]\d+)?"),
        "write them without separators",
    ),
}
"""Numbers that are read as text, and what to do about them."""
CATEGORIES = 1000
"""Maximum number of categories of one column; each becomes a column."""


def read(
    path: str, columns: dict[str, Sequence[str]], text: CsvText
) -> dict[str, NDArray[np.float64]]:
    """Read the tables (N, D) of the named lists of columns; a column without numbers becomes one
    column for each category.

    Raises FileNotFoundError if there is no such file, and ValueError if it cannot be read, or if a
    column is missing, is named twice, has missing or infinite values, is constant, or has too many
    categories.
    """
    keys = ("x_columns", "y_columns")
    names = [name for listed in columns.values() for name in listed]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        on_both_sides = set[str].intersection(*({*listed} for listed in columns.values()))
        raise (SelfPairError if on_both_sides else SettingError)(
            keys, "must name a column once", f"{', '.join(repeated)} twice"
        )
    frame = frames.frame("path", path, text)
    for key, listed in columns.items():
        if not listed:
            raise SettingError(key, "must name at least one column", "none")
        if missing := [name for name in listed if name not in frame]:
            raise SettingError(
                key,
                f"must name columns of {path}",
                ", ".join(missing),
                f"it has {', '.join(map(str, frame))}",
            )
    return {
        key: np.hstack([numbers(pd.Series(frame[name])) for name in listed])
        for key, listed in columns.items()
    }


def numbers(column: pd.Series) -> NDArray[np.float64]:
    """Convert a column to numbers (N, 1), or to zeros and ones (N, C) for C categories."""
    if column.dtype == object and not column.map(_is_text).all():
        kinds = {type(each).__name__ for each in column if not _is_text(each)}
        raise DataError(
            f"column {column.name}",
            "must hold numbers or texts",
            f"values of type {', '.join(sorted(kinds))}",
        )
    if bad := int(column.isna().sum()):
        raise DataError(
            f"column {column.name}",
            "must have every value",
            f"{bad} missing",
            "drop or fill these rows",
        )
    if len(column) > 1 and column.nunique() == 1:
        raise DataError(
            f"column {column.name}", "must vary", f"{column.iloc[0]} in every row", "leave it out"
        )
    if text(column):
        return _one_hot(column)
    numbers = column.to_numpy(np.float64)
    if bad := int((~np.isfinite(numbers)).sum()):
        raise DataError(
            f"column {column.name}", "must be finite", f"{bad} infinite values", "drop these rows"
        )
    return numbers[:, None]


def _is_text(value: object) -> bool:
    return isinstance(value, Hashable)


def text(column: pd.Series) -> bool:
    """Whether a column holds neither numbers nor booleans."""
    return not (is_numeric_dtype(column) or is_bool_dtype(column))


def _check_numbers(column: pd.Series) -> None:
    """Refuse numbers that were read as text: each category would become a column of its own.

    Raises ValueError if every text is a number by one way to write them.
    """
    texts = [str(each).strip() for each in column.unique()]
    odd = [each for each in texts if not PLAIN.fullmatch(each)]
    for kind, (pattern, remedy) in WRITTEN.items():
        if odd and all(pattern.fullmatch(each) for each in odd):
            raise DataError(
                f"column {column.name}",
                "must hold numbers",
                f"text with {kind} such as {odd[0]!r}",
                remedy,
            )


def _one_hot(column: pd.Series) -> NDArray[np.float64]:
    """Convert categories to zeros and ones (N, C). A column with nearly as many categories as rows
    is refused, because it probably holds numbers or dates read as text.
    """
    _check_numbers(column)
    found, most = column.nunique(), min(CATEGORIES, max(2, len(column) // 2))
    if found > most:
        raise DataError(
            f"column {column.name}",
            f"must hold numbers, or at most {most} categories in {len(column)} rows",
            f"{found} texts such as {column.iloc[0]!r}",
            "write it as numbers",
        )
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.remove_unused_categories()
    return pd.get_dummies(column).to_numpy(np.float64)
