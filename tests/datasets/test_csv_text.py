"""Numbers that a CSV file writes otherwise are read by an option or refused, not as categories."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import infobound as ib
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.files.csv_text import CsvText
from infobound.datasets.labelled.table import Table

NUMBERS = np.random.default_rng(0).normal(size=(60, 2)).round(1)


def read(path: Path, text: CsvText) -> Arrays:
    return Arrays.read(str(path), 0.2, 0.2, "none", x_columns=["a"], y_columns=["größe"], text=text)


@pytest.fixture
def german(tmp_path: Path) -> Path:
    frame = pd.DataFrame(NUMBERS, columns=["a", "größe"])
    frame.to_csv(tmp_path / "a.csv", sep=";", decimal=",", encoding="latin-1", index=False)
    return tmp_path / "a.csv"


def test_the_options_read_what_they_name(german: Path) -> None:
    rows = read(german, CsvText("comma", "semicolon", "latin-1"))
    np.testing.assert_allclose(np.hstack([rows.x, rows.y]), NUMBERS, rtol=1e-6)


def test_decimal_commas_are_refused_with_the_option(german: Path) -> None:
    with pytest.raises(ValueError, match=r"column a must hold numbers, got text with decimal comm"):
        read(german, CsvText(None, "semicolon", "latin-1"))
    with pytest.raises(ValueError, match=r"path .* cannot be read: .*utf-8.*dataset.encoding"):
        read(german, CsvText(separator="semicolon"))
    with pytest.raises(ValueError, match=r"encoding must be one that Python knows.*got latin-99"):
        CsvText(encoding="latin-99")


def test_labelled_rows_take_the_same_options(tmp_path: Path) -> None:
    frame = pd.DataFrame({"f": NUMBERS[:, 0], "_pivot_p": NUMBERS[:, 1], "_label": [0, 1] * 30})
    frame.to_csv(tmp_path / "a.csv", sep=";", decimal=",", index=False)
    path, text = str(tmp_path / "a.csv"), CsvText(decimal="comma", separator="semicolon")
    table = Table.read(path, None, None, 0.2, 0.2, None, "refuse", text)
    np.testing.assert_allclose(table.rows.x[:, 0], NUMBERS[:, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1,5", "2", "-0,3"], "decimal commas"),
        (["12 %", "7.5%", "3%"], "percent signs"),
        (["1,234,567", "12,345,678.5", "3"], "thousands separators"),
        (["1.234,5", "12.345", "3"], "thousands separators"),
    ],
)
def test_numbers_as_text_are_refused_in_python_too(texts: list[str], kind: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"must hold numbers, got text with {kind}")):
        ib.estimate(pd.Series(texts * 20), NUMBERS[:, 0], estimator="ksg")


@pytest.mark.parametrize("texts", [["a", "b"], ["1,5", "none"], ["2024-01", "2024-02"]])
def test_other_texts_stay_categories(texts: list[str]) -> None:
    assert ib.estimate(pd.Series(texts * 30), NUMBERS[:, 0], estimator="ksg").stderr >= 0


@pytest.mark.parametrize("name", ["decimal", "separator"])
def test_other_signs_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        CsvText(**{name: "dot"})  # pyright: ignore[reportArgumentType]
