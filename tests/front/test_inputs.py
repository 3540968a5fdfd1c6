"""All kinds of tables are read like files on the command line, or refused in one line."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import infobound as ib
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.in_memory import numbers, paired

ROWS = 12
SOURCE = np.random.default_rng(0)
X = SOURCE.normal(size=(ROWS, 2))
FRAME = pd.DataFrame(
    {
        "number": SOURCE.normal(size=ROWS),
        "text": ["red", "blue", "green"] * 4,
        "category": pd.Categorical(["a", "b"] * 6, categories=["b", "a", "unused"]),
        "truth": [True, False] * 6,
        "count": pd.array([1, 2, 3] * 4, dtype="Int64"),
        "date": pd.to_datetime(["2020-01-01", "2021-01-01"] * 6),
    }
)


class OtherLibrary:
    """A table of a library that only supports the interchange protocol."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._table = pa.table(frame)

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self._table.__dataframe__(nan_as_null, allow_copy)


class OtherColumn:
    """A column of a library that only supports Arrow's stream."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._column.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "values",
    [
        X,
        X.tolist(),
        [*X],
        [*torch.tensor(X)],
        torch.tensor(X),
        torch.tensor(X).requires_grad_(),
        torch.tensor(X).to_sparse(),
        torch.tensor(X)[:, :, None],
        pd.DataFrame(X),
        pd.DataFrame(X, columns=["same", "same"]),
        pd.DataFrame(X).astype(object),
        X.astype(object),
        OtherLibrary(pd.DataFrame(X, columns=["a", "b"])),
        pa.table({"a": X[:, 0], "b": X[:, 1]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_are_the_same_from_every_container(values: Any) -> None:
    assert torch.equal(numbers("x", values), torch.tensor(X, dtype=torch.float32))


@pytest.mark.parametrize(
    "values",
    [
        X[:, 0],
        X[:, 0].tolist(),
        tuple(X[:, 0]),
        torch.tensor(X[:, 0]),
        pd.Series(X[:, 0], index=range(5, 5 + ROWS)),
        pd.Index(X[:, 0]),
        pd.array(X[:, 0]),
        OtherColumn(pa.chunked_array([X[:, 0]])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_dimensional_values_are_one_column(values: Any) -> None:
    assert torch.equal(numbers("x", values), torch.tensor(X[:, :1], dtype=torch.float32))


def test_images_are_flattened() -> None:
    images = np.zeros((ROWS, 3, 4, 5), dtype=np.uint8)
    images[:, 1, 1, 1] = range(ROWS)
    assert numbers("x", images).shape == (ROWS, 60)


@pytest.mark.parametrize("of", [lambda frame: frame, OtherLibrary], ids=["pandas", "another"])
def test_a_table_is_read_as_its_file_is(of: Any, tmp_path: Any) -> None:
    path = str(tmp_path / "table.parquet")
    FRAME.to_parquet(path)
    names = [*FRAME.columns]
    read = Arrays.read(path, 0.2, 0.2, "none", None, names[:2], names[2:])
    x, y, *_ = paired(of(FRAME[names[:2]]), of(FRAME[names[2:]]))
    assert torch.equal(read.x, x)
    assert torch.equal(read.y, y)
    assert y.shape == (ROWS, 2 + 1 + 1 + 1)


@pytest.mark.parametrize("of", [list, np.array, pd.Series, pd.Categorical])
def test_texts_are_categories(of: Any) -> None:
    found = numbers("x", of(["red", "blue", "red", "blue"]))
    assert torch.equal(found, torch.tensor([[0.0, 1], [1, 0], [0, 1], [1, 0]]))


Y = np.arange(ROWS)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:-1], "x and y must have the same number of rows, because rows are paired, got 11"),
        (X[:0], "x must have at least one row and one column, got shape (0, 2)"),
        ([], "x must have at least one row and one column, got shape (0,)"),
        (3.0, "x must have at least one row and one column, got shape ()"),
        (FRAME[[]], "x must have at least one row and one column, got shape (12, 0)"),
        (np.where(Y == 3, np.nan, Y), "x must be finite, got 1 values that are NaN, infinite or"),
        (np.where(Y == 3, np.inf, Y), "x must be finite, got 1 values that are NaN, infinite or"),
        (FRAME["number"].where(Y > 1), "column number must have every value, got 2 missing; drop"),
        (pd.Series(np.where(Y == 3, np.inf, Y)), "column x must be finite, got 1 infinite values"),
        (pd.Series([None, *"abcabcabcab"]), "column x must have every value, got 1 missing"),
        (X + 1j, "x must hold real numbers, got dtype complex128; convert"),
        (pd.Series(X[:, 0] + 1j), "column x must hold real numbers, booleans, texts or cate"),
        ([1, "a", *X[2:, 0]], "column x must hold numbers, got 11 numbers and 'a'; leave fields"),
        (
            np.array([1, "a", *X[2:, 0]], dtype=object),
            "column x must hold real numbers, booleans, texts or categories, got objects of "
            "float64, int, str; convert it",
        ),
        ([object()] * ROWS, "column x must hold real numbers, booleans, texts or categories"),
        ([[1], [1, 2], *[[0]] * 10], "x must be an array, a tensor, a table or a list of rows of"),
        (None, "x must be an array, a tensor, a table or a list of rows of one length, got a None"),
        (
            {"a": 1},
            "x must be an array, a tensor, a table or a list of rows of one length, got a d",
        ),
        (np.ones(ROWS), "x must vary in every column, got the same number in all rows"),
        (pd.Series(["a"] * ROWS), "column x must vary, got a in every row; leave it out"),
        (pd.Series(map(str, range(ROWS))), "column x must hold numbers, or at most 6 categories"),
        (np.ma.masked_equal(Y, 3), "x must have every value, got 1 masked ones; drop or fill"),
        (np.zeros(ROWS, dtype=[("a", "f4")]), "x must hold real numbers, got dtype [('a', '<f4')]"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_unreadable_values_are_refused_in_one_line(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        ib.estimate(x, Y, estimator="ksg")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_rows_with_the_same_names_must_be_in_the_same_order() -> None:
    x, y = FRAME["number"], FRAME["text"]
    with pytest.raises(ValueError, match=r"^x and y must have their index in the same order"):
        paired(x, y.iloc[::-1])
    paired(x, y.iloc[::-1].reset_index(drop=True))
    paired(x, y.set_axis(range(7, 7 + ROWS)))
    paired(x, y.iloc[::-1].to_numpy())


def test_columns_of_every_kind_are_estimated() -> None:
    frame = pd.concat([FRAME] * 4, ignore_index=True)
    result = ib.estimate(frame["text"], frame[["truth", "category"]], estimator="binned")
    assert result.mi == pytest.approx(0, abs=0.1)
