"""Pairs in memory: arrays, tensors, tables and lists, converted in the same way as files.

N rows, D columns.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from infobound.datasets.files import sides, tables
from infobound.datasets.files.sides import Missing, Side, Sides
from infobound.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@runtime_checkable
class Interchange(Protocol):
    """A table of any library that supports the dataframe interchange protocol, such as polars."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object: ...


@runtime_checkable
class ArrowStream(Protocol):
    """A table or a column of any library that supports Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Values: TypeAlias = ArrayLike | Tensor | Interchange | ArrowStream
"""One side of pairs: (N,), (N, D) or (N, ...) numbers, or a table of N rows whose columns hold
numbers, booleans or categories.
"""


def paired(
    x: Values,
    y: Values,
    groups: Values | None = None,
    missing: Missing = "refuse",
    categories: Sequence[str] | None = None,
) -> Sides:
    """Convert x and y, paired by position, to float32 tensors (N, D_x) and (N, D_y) on the CPU; in
    a table, and in an array of texts, a column that holds neither numbers nor dates becomes one
    column for each category.

    Raises ValueError for values that are neither finite numbers nor categories, for missing values
    and constant columns, and if x and y have different numbers of rows or the same index in another
    order.
    """
    _check_index(x, y)
    labels = None if groups is None else _labels(groups)
    return sides.paired(_side("x", x), _side("y", y), labels, missing, categories)


def numbers(name: str, values: Values) -> Tensor:
    """Convert `values` to float32 (N, D) as paired() does; errors use `name`."""
    return sides.numbers(name, _side(name, values))


def _side(name: str, values: Values) -> Side:
    """Convert values to an array of numbers, or to a table of columns of one kind each."""
    if isinstance(values, Tensor):
        return tables.array(values if values.layout == torch.strided else values.to_dense())
    frame = _frame(name, values)
    if frame is None:
        array = _array(name, values)
        if array.dtype.kind in "biuf" or array.ndim not in (1, 2):
            return array
        frame = _columns(name, array)
    return frame if 0 in frame.shape else _of_one_kind(frame)


def _labels(groups: Values) -> np.ndarray:
    """The group (N,) of each row, or (N, D) if there are several."""
    if isinstance(groups, Tensor):
        return tables.array(groups)
    frame = _frame("groups", groups)
    if frame is None:
        return _array("groups", groups)
    return frame.iloc[:, 0].to_numpy() if frame.shape[1] == 1 else frame.to_numpy()


def _frame(name: str, values: Values) -> "pd.DataFrame | None":
    """Return `values` as a pandas table, or None if they are not a table."""
    if (own := _pandas(name, values)) is not None:
        return own
    if isinstance(values, ArrowStream):
        import pyarrow as pa

        column = pa.chunked_array(values)
        if pa.types.is_struct(column.type):
            return pa.table(values).to_pandas()
        return column.to_pandas().to_frame(name)
    if isinstance(values, Interchange):
        from pyarrow import interchange

        return interchange.from_dataframe(values).to_pandas()
    return None


def _pandas(name: str, values: object) -> "pd.DataFrame | None":
    """Return a pandas object as a table, or None for any other object."""
    if "pandas" not in sys.modules:  # if `values` came from pandas, it is loaded
        return None
    import pandas as pd

    if isinstance(values, pd.Index | pd.api.extensions.ExtensionArray):
        values = pd.Series(values)
    if isinstance(values, pd.Series):
        return values.to_frame(name if values.name is None else values.name)
    return values if isinstance(values, pd.DataFrame) else None


def _array(name: str, values: object) -> np.ndarray:
    wanted = f"{name} must be an array, a tensor, a table or a list of rows of one length"
    try:
        if isinstance(values, list | tuple) and any(isinstance(each, Tensor) for each in values):
            return torch.stack([*map(torch.as_tensor, values)]).detach().cpu().numpy()
        array = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{wanted}, got a {type(values).__name__}: {error}") from error
    if array.dtype == object and array.ndim == 0:
        raise ValueError(f"{wanted}, got a {type(values).__name__}")
    return array


def _columns(name: str, array: np.ndarray) -> "pd.DataFrame":
    """Convert an array (N,) or (N, D) of texts, dates or objects to a table."""
    import pandas as pd  # takes half a second, and arrays of numbers do not need it

    if array.dtype.kind not in "UTMmO":
        tables.table(name, array)
    if array.ndim == 1:
        return pd.DataFrame({name: array})
    return pd.DataFrame(array, columns=[f"{name}[:, {index}]" for index in range(array.shape[1])])


def _of_one_kind(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Convert columns of objects to the type of their values.

    Raises ValueError if the values of a column have several types.
    """
    frame = frame.infer_objects()
    for _, column in frame.items():
        _check_kind(column)
    return frame


def _check_kind(column: "pd.Series") -> None:
    from pandas.api.types import infer_dtype, is_complex_dtype

    kind = infer_dtype(column, skipna=True) if column.dtype == object else str(column.dtype)
    if kind.startswith("mixed") or kind == "unknown-array" or is_complex_dtype(column):
        raise DataError(
            f"column {column.name}",
            "must hold real numbers, booleans, texts or categories",
            _kinds(column) if column.dtype == object else f"dtype {column.dtype}",
            "convert it, as by astype(float) or astype(str)",
        )


def _kinds(column: "pd.Series") -> str:
    return "objects of " + ", ".join(sorted({type(each).__name__ for each in column}))


def _check_index(x: Values, y: Values) -> None:
    """Raise ValueError if two tables have the same row names in a different order."""
    first, second = _pandas("x", x), _pandas("y", y)
    if first is None or second is None or len(first) != len(second):
        return
    index, other = first.index, second.index
    if not index.equals(other) and not len(index.symmetric_difference(other, sort=False)):
        raise ValueError(
            "x and y must have their index in the same order, because rows are paired by position,"
            " got the same index in another order; use y.loc[x.index], or reset_index(drop=True) if"
            " the order is intended"
        )
