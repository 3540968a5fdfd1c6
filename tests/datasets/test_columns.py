"""Columns of CSV and Parquet files: numbers unchanged, categories one-hot, and one clear line for
every error.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from infobound.datasets.files.arrays import Arrays

FRAME = pd.DataFrame(
    {
        "a": [1.0, 2.0, 3.0],
        "b": [4, 5, 6],
        "kind": ["red", "blue", "red"],
        "yes": [True, False, True],
    }
)


def written(folder: Path, name: str, frame: pd.DataFrame = FRAME) -> str:
    path = folder / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return str(path)


def read(path: str, x: Any, y: Any) -> Arrays:
    return Arrays.read(path, 0.2, 0.2, "none", None, x, y)


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.parquet"])
def test_columns_are_read_in_order_and_categories_are_one_hot(tmp_path: Path, name: str) -> None:
    rows = read(written(tmp_path, name), ["b", "a"], ["kind", "yes"])
    assert torch.equal(rows.x, torch.tensor([[4.0, 1.0], [5.0, 2.0], [6.0, 3.0]]))
    assert torch.equal(rows.y, torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (["a", "c"], ["b"], "x_columns must name columns of .*, got c; it has a, b, kind, yes"),
        (["a"], [], "y_columns must name at least one column, got none"),
        (["a"], ["a"], "x_columns and y_columns must name a column once, got a twice"),
        (
            ["a"],
            None,
            "x_columns and y_columns must both be given for a .csv, .parquet or .h5 file",
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused(tmp_path: Path, x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        read(written(tmp_path, "pairs.csv"), x, y)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, None, None], "column a must have every value, got 2 missing"),
        ([1.0, float("inf"), 2.0], "column a must be finite, got 1 infinite"),
        (["red", None, "blue"], "column a must have every value, got 1 missing"),
        (["red", "red", "red"], "column a must vary, got red in every row"),
        (
            ["1,5", "2,5", "3,5"],
            "column a must hold numbers, got text with decimal commas such as '1,5'",
        ),
    ],
)
def test_bad_values_are_counted_by_column(tmp_path: Path, values: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        read(written(tmp_path, "pairs.parquet", FRAME.assign(a=values)), ["a"], ["b"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["a,b,c", "1,2,3,7", "4,5,6,8"],
            "its rows have more fields than its first line",
        ),
        (["a,b,a", "1,2,3", "4,5,6"], "each column must have its own name, got a twice"),
    ],
)
def test_a_csv_whose_names_do_not_fit_its_rows_is_refused(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(str(path), ["a"], ["b"])


def test_rows_may_end_in_a_separator(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("a,b\n1,2,\n4,5,", encoding="utf-8")
    assert read(str(path), ["a"], ["b"]).y.flatten().tolist() == [2, 5]


def test_a_name_that_ends_in_a_number_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("a,a.1,b\n1,2,3\n4,6,5", encoding="utf-8")
    assert read(str(path), ["a.1"], ["b"]).x.flatten().tolist() == [2, 6]


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.parquet"])
def test_a_file_that_is_not_a_table_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\xff\xfe")
    with pytest.raises(ValueError, match=r"^(path .* cannot be read|x_columns must name columns)"):
        read(str(tmp_path / name), ["a"], ["b"])
    with pytest.raises(
        FileNotFoundError, match=r"^path must name a CSV, Parquet or HDF5 file, but .* is not there"
    ):
        read(str(tmp_path / f"no{name}"), ["a"], ["b"])
