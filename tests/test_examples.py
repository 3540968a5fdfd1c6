"""The examples run unchanged with few steps from an empty folder."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
FEWER = {
    "known_truth": ["--rows=600"],
    "own_csv": ["--columns=age"],
    "sweep_with_pandas": ["--seeds=1"],
}
SMALL = {
    r"steps=\d+": "steps=20",
    r"eval_every=\d+": "eval_every=10",
    r"range\(2\)": "range(1)",
    r"mutual_information=2,4,8": "mutual_information=8",
}
"""Texts in notebook cells, and their replacements here."""


def masked(text: str) -> list[str]:
    """The lines of a text without trailing blanks, and with # for every number."""
    lines = re.sub(r"-?\d+(\.\d+)?|NaN", "#", text).strip().splitlines()
    return [" ".join(line.split()) for line in lines]


@pytest.fixture
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("_in_an_empty_folder")
def test_a_script_prints_what_it_says(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    _, _, expected = said.partition("prints, ")
    block = re.search(r":\n\n((?:    .*\n?)+)", expected)
    assert block is not None
    few = ["--steps=20", *FEWER.get(path.stem, [])]
    ended = subprocess.run(
        [sys.executable, str(path), *few], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    printed = masked(ended.stdout)
    assert printed
    assert {*printed} <= {*masked(block[1])}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("_in_an_empty_folder")
def test_the_cells_of_a_notebook_run(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for pattern, small in SMALL.items():
        code = re.sub(pattern, small, code)
    try:
        exec(code, {})
    finally:
        plt.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_outputs_and_is_small(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert outputs
    assert "error" not in {each["output_type"] for each in outputs}
    assert "stderr" not in {each.get("name") for each in outputs}
    assert path.stat().st_size < 100_000


def test_every_example_is_on_the_page_of_examples() -> None:
    page = (ROOT / "docs" / "examples.md").read_text()
    for path in (*SCRIPTS, *NOTEBOOKS):
        assert f"<!-- example {path.name} -->" in page
