"""Other packages are run on tables of the forty tasks, and their errors printed."""

import ast
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.others import report, running, tables

THIRTEEN = tables.THIRTEEN
SCRIPTS = Path(running.__file__).parent.glob("run_*.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables of 20 rows of the thirteen tasks."""
    tables.main([str(tmp_path / "tables"), "--rows", "20", "--thirteen"])
    return tmp_path / "tables"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def one_column(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    if x.shape[1] > 1:
        raise ValueError("reads one column")
    return np.inf


def half_a_nat(x: np.ndarray, y: np.ndarray, seed: int) -> running.Answer:
    return running.Answer(0.5, (0.4, 0.6))


def cells(printed: str, estimator: str) -> list[str]:
    [line] = [line for line in printed.splitlines() if f"| {estimator} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_estimator_reads_each_table_once_and_a_failure_is_a_line(folder: Path) -> None:
    file = folder.parent / "lines.jsonl"
    each = {"half": half_a_nat, "column": one_column}
    running.run("numpy", each, [str(folder), str(file), "--estimator", "column"])
    running.run("numpy", each, [str(folder), str(file)])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["estimator"] for line in lines] == ["column"] * 13 + ["half"] * 13
    assert {line["error"] for line in lines[:13]} == {
        "ValueError: reads one column",
        "the value is inf",
    }
    assert {line["task"] for line in lines} == set(THIRTEEN)
    assert all(line["interval"] == [0.4, 0.6] for line in lines[13:])
    assert all(line["rows"] == 20 and line["version"] == np.__version__ for line in lines)


def line(estimator: str, task: str, **others: object) -> str:
    usual = {"package": "some", "rows": 20, "seed": 0, "truth": 1.0, "seconds": 3.0}
    usual |= {"value": 1.1, "interval": None, "error": None}
    return json.dumps(usual | {"estimator": estimator, "task": task} | others)


def test_errors_of_tasks_that_gave_a_number_are_printed_beside_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, *others = THIRTEEN
    written = [line("all", task) for task in others]
    written += [line("all", last, value=2.3), line("few", others[0])]
    written += [line("some fail", task) for task in others]
    written += [line("some fail", last, value=None, seconds=0.0)]
    written += [line("other seed", task, seed=1) for task in THIRTEEN]
    ours = {"package": "infobound", "interval": [0.9, 1.2]}
    written += [line("my_data", task, value=1.02, **ours) for task in others]
    written += [line("my_data", last, value=0.5, **ours | {"interval": [1.2, None]})]
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(written))
    report.main([str(file)])
    printed = capsys.readouterr().out
    none = ["", "", ""]
    assert printed.startswith("20 rows, seed 0\n")
    assert cells(printed, "all") == [
        *["some", "all", "13 of 13", "0.192", "0.057"],
        *["0.192", "0.100", "1.300", *none, "-", "3"],
    ]
    assert cells(printed, "few")[2:] == ["1 of 1", "0.100", "0.020", *none, *none, "-", "3"]
    assert cells(printed, "some fail")[2:5] == ["12 of 13", "0.100", "0.020"]
    assert cells(printed, "some fail")[5:] == [*none, *none, "-", "3"]
    assert cells(printed, "my_data")[5:8] == ["0.057", "0.020", "0.500"]
    assert "other seed" not in printed


def test_what_this_project_reads_counts_for_all_tasks_of_the_same_ranks() -> None:
    lines = [json.loads(line("my_data", "1v1-normal-0.75", package="infobound"))]
    [readings] = report.read(lines, rows=20).values()
    assert {"1v1-normal-0.75", "half_cube-1v1-normal-0.75"} < set(readings)
    [readings] = report.read([lines[0] | {"package": "some"}], rows=20).values()
    assert set(readings) == {"1v1-normal-0.75"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: folder.rename(folder.parent / "away"), "must have .npz tables"),
        (lambda folder: np.savez(folder / "0.npz", x=0, y=0), "must have .*: no task, seed, truth"),
        (
            lambda folder: (folder.parent / "lines.jsonl").write_text('{"package": "so'),
            'every line must be JSON, got \'{"package": "so\': delete it',
        ),
    ],
)
def test_what_cannot_be_read_is_refused(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)
    with pytest.raises(SystemExit, match=message):
        running.run("numpy", {"half": half_a_nat}, [str(folder), f"{folder.parent}/lines.jsonl"])


def test_more_than_one_thread_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    with pytest.raises(SystemExit, match="OMP_NUM_THREADS must be 1, got None"):
        running.run("numpy", {"half": half_a_nat}, [str(folder), f"{folder.parent}/lines.jsonl"])


def test_a_seed_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="must have lines of seed 0, got none"):
        report.main([str(tmp_path / "none.jsonl")])


@pytest.mark.parametrize("path", [Path(running.__file__), *SCRIPTS], ids=lambda path: path.stem)
def test_what_runs_in_other_environments_needs_nothing_of_this_project(path: Path) -> None:
    imports = [*ast.walk(ast.parse(path.read_text()))]
    modules = {node.module for node in imports if isinstance(node, ast.ImportFrom)}
    modules |= {
        each.name for node in imports if isinstance(node, ast.Import) for each in node.names
    }
    ours = {name for name in modules if name and name.startswith(("infobound", "benchmarks"))}
    own = {"infobound"} if path.stem == "run_infobound" else set[str]()
    assert ours <= {"benchmarks.others.running"} | own
