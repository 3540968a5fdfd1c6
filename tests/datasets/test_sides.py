"""Groups, missing values, codes and dates are read in the same way from files and from memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import infobound as ib
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.files.codes import doubts
from infobound.datasets.files.sides import Sides
from infobound.datasets.in_memory import numbers, paired
from infobound.errors import UntrustedEstimate

ROWS = 60
SOURCE = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": SOURCE.normal(size=ROWS),
        "b": SOURCE.normal(size=ROWS),
        "subject": [f"s{row // 6}" for row in range(ROWS)],
        "k": [110, 250, 260, 777] * (ROWS // 4),
    }
)
GAPS = FRAME.assign(a=FRAME["a"].where(FRAME.index != 3), b=FRAME["b"].where(FRAME.index % 20 > 0))


def read(path: Path, frame: pd.DataFrame, x: list[Any], y: list[Any], **settings: Any) -> Arrays:
    frame.to_csv(path / "rows.csv", index=False)
    return Arrays.read(str(path / "rows.csv"), 0.2, 0.2, "none", None, x, y, **settings)


def both(path: Path, frame: pd.DataFrame, x: list[str], y: list[str], **settings: Any) -> Arrays:
    """Read a file, and check that memory gives the same."""
    rows = read(path, frame, x, y, **settings)
    name = settings.pop("groups", None)
    labels = None if name is None else frame[name]
    of_memory = paired(frame[x], frame[y], labels, **settings)
    of_file = Sides(rows.x, rows.y, rows.groups, rows.places, rows.told)
    for one, other in zip(of_memory, of_file, strict=True):
        assert str(one) == str(other)
    return rows


def test_equal_values_of_a_column_are_a_group(tmp_path: Path) -> None:
    rows = both(tmp_path, FRAME, ["a"], ["b"], groups="subject")
    units = rows.about.units
    assert units is not None
    assert torch.equal(units, torch.arange(ROWS) // 6)


def test_an_array_of_an_archive_gives_the_groups(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.npz")
    np.savez(path, x=FRAME["a"], y=FRAME["b"], who=FRAME["subject"].to_numpy(str))
    groups = Arrays.read(path, 0.2, 0.2, "none", groups="who").groups
    assert groups is not None
    assert torch.equal(groups, torch.arange(ROWS) // 6)
    with pytest.raises(ValueError, match=r"^groups must name an array of .*, got w; it has x, y"):
        Arrays.read(path, 0.2, 0.2, "none", groups="w")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (FRAME["subject"].where(FRAME.index > 1), "groups must be known for every row, got 2 miss"),
        (["s"] * ROWS, "groups must have at least two values, got 1"),
        (FRAME["subject"][1:], "x and groups must have the same number of rows"),
        (FRAME[["a", "b"]], "groups must be one value for each row, got shape (60, 2)"),
    ],
)
def test_wrong_groups_are_refused(groups: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        ib.estimate(FRAME["a"], FRAME["b"], groups=groups, estimator="ksg")
    assert str(refused.value).startswith(message)


def test_a_column_of_groups_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^groups must name a column of .*, got who; it has a"):
        read(tmp_path, FRAME, ["a"], ["b"], groups="who")


def test_rows_that_lack_a_value_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = both(tmp_path, GAPS, ["a"], ["b"], missing="drop", groups="subject")
    kept = [row for row in range(ROWS) if row not in (0, 3, 20, 40)]
    places = rows.about.places
    assert places is not None
    assert places.tolist() == kept
    assert torch.equal(rows.x[:, 0], torch.tensor(FRAME["a"].to_numpy()[kept]).float())
    assert rows.about.warnings == ["missing values: 1 in a, 3 in b; 4 of 60 rows are dropped"]


@pytest.mark.parametrize("masked", [False, True])
def test_rows_of_arrays_are_dropped_too(masked: bool) -> None:
    x = np.ma.masked_invalid(GAPS["a"]) if masked else GAPS["a"].to_numpy()
    rows = paired(x, torch.tensor(GAPS["b"].to_numpy()), missing="drop")
    assert len(rows.x) == len(rows.y) == ROWS - 4
    assert rows.told == ["missing values: 1 in x, 3 in y; 4 of 60 rows are dropped"]


def test_positions_of_rows_count_those_left_out() -> None:
    with pytest.warns(UntrustedEstimate, match=r"4 of 60 rows are dropped"):
        result = ib.estimate(
            GAPS["a"],
            GAPS["b"],
            steps=1,
            overrides=["dataset.missing=drop", "runner.batch_size=16"],
        )
    assert result.pointwise is not None
    assert sorted(result.pointwise["row"]) == [*set(range(ROWS)) - {0, 3, 20, 40}]


def test_missing_values_are_refused_unless_dropped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"column a must have every value, got 1 missing; .*=drop"):
        read(tmp_path, GAPS, ["a"], ["b"])
    with pytest.raises(ValueError, match=r"missing must be one of refuse, drop, got median"):
        read(tmp_path, GAPS, ["a"], ["b"], missing="median")
    with pytest.raises(ValueError, match=r"missing must leave a row, got .* 60 in b"):
        read(tmp_path, GAPS.assign(b=np.nan), ["a"], ["b"], missing="drop")


def test_numbers_are_categories_if_listed(tmp_path: Path) -> None:
    rows = both(tmp_path, FRAME, ["a", "k"], ["b"], categories=["k"])
    assert rows.x.shape == (ROWS, 5)
    assert torch.equal(rows.x[:4, 1:], torch.eye(4))
    assert not rows.about.warnings
    with pytest.raises(ValueError, match=r"^categories must name columns of x or y, got c; they "):
        read(tmp_path, FRAME, ["a"], ["b"], categories=["c"])


def test_codes_are_pointed_out(tmp_path: Path) -> None:
    told = both(tmp_path, FRAME, ["k"], ["b"]).about.warnings
    assert told == [
        "column k is read as a quantity, but looks like codes (110, 250, 260, ...); if so, use"
        " dataset.categories=[k]"
    ]
    of_array = paired(FRAME[["a", "k"]].to_numpy(), FRAME["b"].to_numpy()).told
    assert [line[:40] for line in of_array] == ["column x[:, 1] is read as a quantity, bu"]


@pytest.mark.parametrize(
    ("name", "values", "codes"),
    [
        ("code", [1, 2, 3], True),
        ("customerId", [*range(ROWS)], True),
        ("shop_id", [5, 6, 7, 8], True),
        ("near", [900000001, 900000002, 900000003], True),
        ("width", [5, 6, 7, 8], False),
        ("dose", [1, 10, 100, 1000], False),
        ("dose", [10, 20, 50, 100, 200], False),
        ("year", [1990, 2000, 2010], False),
        ("time", [1_700_000_000 + 7 * row**2 for row in range(ROWS)], False),
        ("idea", [0.5, 1.5, 3.25], False),
        ("count", [0, 0, 0, 1, 1, 2, 9, 40], False),
        ("is_id", [False, True], False),
    ],
)
def test_quantities_are_told_from_codes(name: str, values: list[Any], codes: bool) -> None:
    column = pd.Series(np.resize(values, ROWS), name=name)
    assert bool(doubts(column, "")) == codes


MOMENTS = pd.Series(pd.date_range("2024-02-28 23:59:59.25", periods=ROWS, freq="37min"))
PASSED = 37 * 60 * np.arange(ROWS)


@pytest.mark.parametrize(
    "dates",
    [
        MOMENTS,
        MOMENTS.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
        MOMENTS.astype(str),
        MOMENTS.astype(str) + "Z",
        MOMENTS.dt.strftime("%Y-%m-%dT%H:%M:%S.%f+01:00"),
        MOMENTS.to_numpy(),
        [each.to_pydatetime() for each in MOMENTS],
        MOMENTS - MOMENTS[0],
        MOMENTS.astype("datetime64[us]"),
        MOMENTS.astype("datetime64[ms]").astype(np.int64) / 1000,
    ],
    ids=str,
)
def test_dates_are_seconds(dates: Any) -> None:
    found = numbers("x", dates)
    assert found.shape == (ROWS, 1)
    np.testing.assert_allclose(found[:, 0] - found[0, 0], PASSED, atol=1e-6)


@pytest.mark.parametrize("unit", [1, 1000, 10**6])
def test_unix_epochs_keep_every_step(tmp_path: Path, unit: int) -> None:
    frame = FRAME.assign(time=1_700_000_000 * unit + np.arange(ROWS))
    rows = both(tmp_path, frame, ["time"], ["b"])
    assert torch.equal(rows.x[:, 0].diff(), torch.ones(ROWS - 1, dtype=torch.float64))


def test_days_of_a_file_are_numbers_and_other_orders_are_refused(tmp_path: Path) -> None:
    days = MOMENTS.dt.normalize()
    frame = FRAME.assign(day=days.dt.strftime("%Y-%m-%d"), german=days.dt.strftime("%d.%m.%Y"))
    rows = both(tmp_path, frame, ["day"], ["b"])
    assert (rows.x[-1] - rows.x[0]) % 86400 == 0
    with pytest.raises(ValueError, match=r"text with dates in another order such as '28.02.2024'"):
        read(tmp_path, frame, ["german"], ["b"])
    with pytest.raises(ValueError, match=r"column day must hold dates: .*2024-02-31"):
        read(
            tmp_path, frame.assign(day="2024-02-3" + FRAME["k"].astype(str).str[1]), ["day"], ["b"]
        )


def test_steps_that_double_precision_loses_are_refused() -> None:
    nanoseconds = pd.Series(1_700_000_000 * 10**9 + np.arange(ROWS))
    with pytest.raises(ValueError, match=r"must have values that double precision tells apart"):
        numbers("x", nanoseconds)


@pytest.mark.parametrize("year", [2019, "2019"])
def test_a_number_names_a_column(tmp_path: Path, year: str | int) -> None:
    assert read(tmp_path, FRAME.rename(columns={"a": "2019"}), [year], ["b"]).x.shape == (ROWS, 1)


def test_a_quantity_is_no_category() -> None:
    with pytest.raises(
        ValueError, match=r"got 60 numbers such as .*; leave it out of dataset\.cat"
    ):
        paired(FRAME[["a"]], FRAME[["b"]], categories=["a"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([*map(str, range(30)), "?"], "must hold numbers, got 30 numbers and '\\?'; leave fields"),
        (["2", "1.5", "3.0"], "must hold numbers, got text with decimal points such as '1.5'"),
    ],
)
def test_text_among_numbers_is_refused_unless_it_is_listed(values: list[str], message: str) -> None:
    frame = pd.DataFrame({"a": values * 2, "b": np.arange(2.0 * len(values))})
    with pytest.raises(ValueError, match=f"^column a {message}"):
        paired(frame[["a"]], frame[["b"]])
    found = paired(frame[["a"]], frame[["b"]], categories=["a"])
    assert found.x.shape == (2 * len(values), len(values))


def test_a_column_of_x_and_one_of_y_may_have_the_same_name() -> None:
    y = FRAME[["b"]].set_axis(["a"], axis=1)
    gaps = FRAME[["a"]].assign(a=FRAME["a"].where(FRAME.index > 8))
    assert len(paired(gaps, y, missing="drop").x) == ROWS - 9
