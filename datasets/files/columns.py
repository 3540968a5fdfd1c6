"""Columns of a file, converted to numbers."""

import re
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import (
    infer_dtype,
    is_bool_dtype,
    is_datetime64_any_dtype,
    is_numeric_dtype,
    is_timedelta64_dtype,
)

from infobound.datasets.files import frames
from infobound.datasets.files.csv_text import CsvText
from infobound.errors import DataError, SelfPairError, SettingError, in_words

PLAIN = re.compile(r"[-+]?\d+(\.\d+)?")
WRITTEN = {
    "decimal commas": (re.compile(r"[-+]?\d+,\d+"), "use dataset.decimal=comma"),
    "dates in another order": (
        re.compile(r"\d{1,2}([./-])\d{1,2}\1(\d{4}|\d{2})( \d{1,2}:\d{2}(:\d{2})?)?"),
        "write dates as in 2024-12-31",
    ),
    "percent signs": (re.compile(r"[-+]?\d+([.,]\d+)?\s*%"), "write shares as numbers"),
    "thousands separators": (
        re.compile(r"[-+]?\d{1,3}([,.'\u00a0\u202f ]\d{3})+([.,]\d+)?"),
        "write them without separators",
    ),
}
"""Numbers that are read as text, and what to do about them."""
POINTS = re.compile(r"[-+]?\d+\.\d+"), "convert it to numbers, or use dataset.decimal=point"
"""Decimal points are text where commas are expected."""
FEW = 0.1
"""Largest share of texts among numbers that are taken for values that are not known."""
DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[-+]\d{2}:?\d{2}))?)?"
)
"""Dates that are read as numbers."""
SECOND = 10**9
"""Nanoseconds in a second."""
CATEGORIES = 1000
"""Maximum number of categories of one column; each becomes a column."""


def read(
    path: str, columns: Mapping[str, Sequence[str | int]], groups: str | None, text: CsvText
) -> tuple[Sequence[pd.DataFrame], NDArray[np.generic] | None]:
    """Read the tables of the named lists of columns, and the column of groups.

    Raises FileNotFoundError if there is no such file, and ValueError if it cannot be read, or if a
    column is missing or named twice.
    """
    wanted = {key: [str(name) for name in listed] for key, listed in columns.items()}
    names = [name for listed in wanted.values() for name in listed]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        on_both_sides = set[str].intersection(*({*listed} for listed in wanted.values()))
        raise (SelfPairError if on_both_sides else SettingError)(
            tuple(columns), "must name a column once", f"{in_words(repeated)} twice"
        )
    frame = frames.frame("path", path, text)
    for key, listed in {**wanted, "groups": [groups] if groups is not None else None}.items():
        if listed is None:
            continue
        if not listed:
            raise SettingError(key, "must name at least one column", "none")
        if missing := [name for name in listed if name not in frame]:
            raise SettingError(
                key,
                f"must name {'a column' if key == 'groups' else 'columns'} of {path}",
                in_words(missing),
                f"it has {in_words(frame)}",
            )
    sides = [pd.DataFrame(frame[listed]) for listed in wanted.values()]
    return sides, None if groups is None else frame[groups].to_numpy()


def numbers(column: pd.Series, *, category: bool = False) -> NDArray[np.float64]:
    """Convert a column to numbers (N, 1), dates to seconds since 1970; or to zeros and ones (N, C)
    for C categories, if it is a `category` or its values are neither numbers nor dates.

    Raises ValueError for missing or infinite values, for a constant column and for too many
    categories.
    """
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
            "drop or fill these rows, the first by dataset.missing=drop",
        )
    if len(column) > 1 and column.nunique() == 1:
        raise DataError(
            f"column {column.name}", "must vary", f"{column.iloc[0]} in every row", "leave it out"
        )
    if category or text(column):
        return _one_hot(column, category)
    numbers = _seconds(column) if _dated(column) else column.to_numpy(np.float64)
    if bad := int((~np.isfinite(numbers)).sum()):
        raise DataError(
            f"column {column.name}", "must be finite", f"{bad} infinite values", "drop these rows"
        )
    if len(np.unique(numbers)) < column.nunique():
        raise DataError(
            f"column {column.name}",
            "must have values that double precision tells apart",
            f"{column.iloc[0]}, ...",
            "subtract its smallest value",
        )
    return numbers[:, None]


def _is_text(value: object) -> bool:
    return isinstance(value, Hashable)


def text(column: pd.Series) -> bool:
    """Whether a column holds neither numbers nor booleans nor dates."""
    return not (is_numeric_dtype(column) or is_bool_dtype(column) or _dated(column))


def _dated(column: pd.Series) -> bool:
    """Whether a column holds dates, times or lengths of time."""
    if is_datetime64_any_dtype(column) or is_timedelta64_dtype(column):
        return True
    if isinstance(column.dtype, pd.CategoricalDtype) or is_numeric_dtype(column):
        return False
    if infer_dtype(column, skipna=True) in ("date", "datetime", "datetime64"):
        return True
    known = column.dropna()
    return len(known) > 0 and all(
        isinstance(each, str) and DATE.fullmatch(each.strip()) for each in known.unique()
    )


def _seconds(column: pd.Series) -> NDArray[np.float64]:
    """Dates, by Coordinated Universal Time, as seconds (N,) since 1970; lengths of time in seconds.

    Raises ValueError for a date that does not exist.
    """
    if is_timedelta64_dtype(column):
        return column.dt.total_seconds().to_numpy(np.float64)
    try:
        given = column if is_datetime64_any_dtype(column) else column.astype(str).str.strip()
        times = pd.to_datetime(given, format="ISO8601", utc=True)
    except ValueError as error:
        raise DataError(f"column {column.name}", f"must hold dates: {error}") from error
    count = times.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
    return count // SECOND + count % SECOND / SECOND


def _check_numbers(column: pd.Series) -> None:
    """Refuse numbers that were read as text: each category would become a column of its own.

    Raises ValueError if every text is a number by one way to write them, or nearly every one.
    """
    texts = [str(each).strip() for each in column.unique()]
    odd = [each for each in texts if not PLAIN.fullmatch(each)]
    written = [(kind, odd, *each) for kind, each in WRITTEN.items()]
    points = [] if odd else [each for each in texts if "." in each]
    for kind, found, pattern, remedy in [*written, ("decimal points", points, *POINTS)]:
        if found and all(pattern.fullmatch(each) for each in found):
            raise DataError(
                f"column {column.name}",
                "must hold numbers",
                f"text with {kind} such as {found[0]!r}",
                remedy,
            )
    if odd and len(odd) <= FEW * len(texts):
        raise DataError(
            f"column {column.name}",
            "must hold numbers",
            f"{len(texts) - len(odd)} numbers and {in_words(map(repr, odd))}",
            "leave fields without a value empty, or list the column in dataset.categories",
        )


def _one_hot(column: pd.Series, category: bool) -> NDArray[np.float64]:
    """Convert categories to zeros and ones (N, C). A column with nearly as many categories as rows
    is refused, because it probably holds numbers or dates read as text.
    """
    if text(column) and not category:
        _check_numbers(column)
    found, most = column.nunique(), min(CATEGORIES, max(2, len(column) // 2))
    if found > most and not text(column):
        raise DataError(
            f"column {column.name}",
            f"must hold at most {most} categories in {len(column)} rows",
            f"{found} numbers such as {column.iloc[0]}",
            "leave it out of dataset.categories",
        )
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
