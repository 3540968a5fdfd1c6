"""The two sides of pairs as numbers, from tables or arrays in memory.

N rows, D columns.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from infobound.datasets.files import tables
from infobound.errors import SettingError, in_words

if TYPE_CHECKING:
    import pandas as pd

Missing = Literal["refuse", "drop"]
"""The treatment of missing values: refuse the rows, or drop those that lack a value."""
Side: TypeAlias = "np.ndarray | pd.DataFrame"
WIDEST = 100
"""Maximum number of columns of an array that are examined for codes."""


class Sides(NamedTuple):
    """Paired rows, and what is known of them."""

    x: Tensor
    """(N, D) float32 or float64."""
    y: Tensor
    """(N, D) float32 or float64."""
    groups: Tensor | None
    """(N,) the number of each row's group."""
    places: Tensor | None
    """(N,) the positions of the rows among those given; None if none is left out."""
    told: Sequence[str]
    """Facts about the rows that a user should know."""


def paired(
    x: Side,
    y: Side,
    groups: np.ndarray | None = None,
    missing: Missing = "refuse",
    categories: Sequence[str] | None = None,
) -> Sides:
    """Convert x and y to numbers: arrays (N, ...) as they are, and in a table, each column that
    holds neither numbers nor dates, or is listed in `categories`, to one column for each category.

    Raises ValueError for rows that are not paired, for values that are neither finite numbers nor
    categories, and for missing values that are not dropped.
    """
    if missing not in get_args(Missing):
        raise SettingError("missing", f"must be one of {', '.join(get_args(Missing))}", missing)
    given: dict[str, Side] = {"x": x, "y": y}
    kept, told = None, list[str]()
    labels = None if groups is None else numbered(groups, missing)
    if missing == "drop" and len(x) == len(y):
        kept, told = _complete(given, labels)
    named = [
        str(key)
        for side in given.values()
        if not isinstance(side, np.ndarray)
        for key in side.columns
    ]
    check_listed(categories, "x or y", named)
    if kept is not None:
        given = {name: _kept(side, kept) for name, side in given.items()}
        labels = None if labels is None else labels[kept]
    read = {name: numbers(name, side, categories) for name, side in given.items()}
    for name, rows in {**read, "groups": labels}.items():
        if rows is not None and len(rows) != len(read["x"]):
            raise ValueError(
                f"x and {name} must have the same number of rows, because rows are paired, got"
                f" {len(read['x'])} and {len(rows)}"
            )
    for name, side in given.items():
        told += _codes(name, side, categories or ())
    places = None if kept is None else torch.from_numpy(kept.nonzero()[0])
    return Sides(
        read["x"],
        read["y"],
        None if labels is None else torch.from_numpy(labels.astype(np.int64)),
        places,
        told,
    )


def numbers(name: str, side: Side, categories: Sequence[str] | None = None) -> Tensor:
    """Convert one side to float32, or float64, (N, D); errors use `name`.

    Raises ValueError as paired() does.
    """
    if isinstance(side, np.ndarray):
        return tables.table(name, side)
    from infobound.datasets.files import columns  # pandas takes half a second to import

    if 0 in side.shape:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {side.shape}"
        )
    listed = categories or ()
    read = [columns.numbers(column, category=key in listed) for key, column in side.items()]
    return tables.table(name, np.hstack(read))


def numbered(groups: np.ndarray, missing: str) -> np.ndarray:
    """The number (N,) of each row's group, -1 if it is missing and will be dropped.

    Raises ValueError for groups that are not one value for each row, that are missing and not
    dropped, or fewer than two.
    """
    import pandas as pd

    if groups.ndim != 1:
        raise SettingError("groups", "must be one value for each row", f"shape {groups.shape}")
    try:
        labels, found = pd.factorize(groups)
    except TypeError as error:
        raise SettingError("groups", f"must be numbers or texts: {error}") from error
    if (labels < 0).any() and missing != "drop":
        raise SettingError(
            "groups",
            "must be known for every row",
            f"{(labels < 0).sum()} missing",
            "use dataset.missing=drop, or fill these rows",
        )
    if len(found) < 2:
        raise SettingError("groups", "must have at least two values", len(found))
    return labels


def _complete(
    given: Mapping[str, Side], labels: np.ndarray | None
) -> tuple[np.ndarray | None, list[str]]:
    """Which rows (N,) lack no value, None if all; and a line that counts those that do."""
    absent = [each for name, side in given.items() for each in _absent(name, side)]
    if labels is not None:
        absent.append(("groups", labels < 0))
    lacking = np.any([rows for _, rows in absent], axis=0)
    if not lacking.any():
        return None, []
    counts = ", ".join(f"{rows.sum()} in {name}" for name, rows in absent if rows.any())
    if lacking.all():
        raise SettingError("missing", "must leave a row", f"missing values: {counts}")
    return ~lacking, [
        f"missing values: {counts}; {lacking.sum()} of {len(lacking)} rows are dropped"
    ]


def _kept(side: Side, rows: np.ndarray) -> Side:
    """The rows selected by a mask (N,)."""
    return side[rows] if isinstance(side, np.ndarray) else side.loc[rows]


def _absent(name: str, side: Side) -> Sequence[tuple[str, np.ndarray]]:
    """Which rows (N,) lack a value, for each column of a table, or for an array."""
    if not isinstance(side, np.ndarray):
        return [(str(key), column.isna().to_numpy()) for key, column in side.items()]
    rows = side.reshape(len(side), -1)
    masked, known = np.ma.getmaskarray(rows), np.ma.getdata(rows)
    lacking = masked | np.isnan(known) if known.dtype.kind == "f" else masked
    return [(name, np.any(lacking, axis=1))]


def check_listed(categories: Sequence[str] | None, of: str, named: Sequence[str]) -> None:
    """Raise SettingError unless `categories` is a list of the columns that are `named`."""
    if isinstance(categories, str):
        raise SettingError("categories", "must be a list of columns", categories)
    if unknown := [each for each in categories or () if each not in named]:
        raise SettingError(
            "categories",
            f"must name columns of {of}",
            in_words(unknown),
            f"they are {in_words(named)}" if named else "arrays have none: give these as text",
        )


def _codes(name: str, side: Side, categories: Sequence[str]) -> list[str]:
    """Warnings of columns that look like codes."""
    if not isinstance(side, np.ndarray):
        table, remedy = side, "use dataset.categories=[{}]"
    else:
        rows = side.reshape(len(side), -1)
        if side.ndim > 2 or rows.shape[1] > WIDEST or not (rows % 1 == 0).all(0).any():
            return []
        import pandas as pd

        table = pd.DataFrame(rows, columns=[f"{name}[:, {at}]" for at in range(rows.shape[1])])
        remedy = "give it as text"
    from infobound.datasets.files import codes

    return [
        line
        for key, column in table.items()
        if key not in categories
        for line in codes.doubts(column, remedy.format(key))
    ]
