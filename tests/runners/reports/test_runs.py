"""Every job that a sweep expects has a row with its status, whatever files it left."""

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from infobound.runners.reports import report
from infobound.runners.reports.results import Results
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.locks import locked
from tests.conftest import Background

Leave = Callable[..., Path]


def expect(folder: Path, jobs: Mapping[str, Sequence[str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.json").write_text(json.dumps({"started": "now", "jobs": jobs}))


def test_every_expected_job_has_a_row_with_its_overrides_and_how_it_ended(
    leave: Leave, tmp_path: Path
) -> None:
    jobs = {
        name: [f"estimator={name}", "critic.hidden=[8]", "name=s"]
        for name in ("done", "raised", "killed", "alive", "never")
    }
    expect(tmp_path, jobs)
    leave("done", jobs["done"], metrics={"mi": 1.5, "mi_stderr": 0.1})
    leave(
        "raised",
        jobs["raised"],
        status="failed",
        error={"message": "mi stopped being finite\nat step 3"},
    )
    (leave("killed", jobs["killed"], status="running") / "checkpoint.pt").touch()
    with locked(leave("alive", jobs["alive"], status="running"), seconds=0):
        summary = report.summarise(tmp_path)
    rows = pd.read_csv(tmp_path / "summary.csv").set_index("estimator").to_dict("index")
    ends = {
        "done": "completed",
        "raised": "failed",
        "killed": "failed",
        "alive": "running",
        "never": "missing",
    }
    assert {name: row["status"] for name, row in rows.items()} == ends
    assert rows["never"]["overrides"] == "estimator=never 'critic.hidden=[8]'"
    assert rows["raised"]["error"] == "mi stopped being finite\nat step 3"
    assert str(rows["killed"]["error"]).endswith(
        "or its machine went down; the same command continues from its checkpoint"
    )
    assert (rows["done"]["mi"], rows["done"]["seconds"]) == (1.5, 1.5)
    assert (
        summary.line
        == f"1 of 5 runs completed, 2 failed, 1 missing, 1 running; {tmp_path / 'summary.csv'}"
    )
    assert {run.path.name: run.status for run in summary.unfinished} == {
        key: ends[key] for key in ends if key != "done"
    }
    assert "| failed | 1 | mi stopped being finite | " in (tmp_path / "summary.md").read_text()


def test_a_killed_run_without_a_checkpoint_starts_again_and_its_lock_stays_free(
    leave: Leave, tmp_path: Path
) -> None:
    folder = leave("a", [], status="running")
    [run] = report.summarise(tmp_path).unfinished
    assert run.error.endswith("the same command starts it again")
    with locked(folder, seconds=0):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"status": "failed", "error": "words"}',
        '{"status": "failed", "error": null, "metrics": 3}',
    ],
)
def test_a_result_that_cannot_be_read_is_a_failed_row_among_the_others(
    text: str, leave: Leave, tmp_path: Path
) -> None:
    leave("good", ["seed=1"], metrics={"mi": 1.0, "mi_stderr": 0.1})
    expect(tmp_path, {"torn": ["seed=2"]})
    (leave("torn", []) / "result.json").write_text(text)
    assert report.summarise(tmp_path).line.startswith("1 of 2 runs completed, 1 failed")
    torn = pd.read_csv(tmp_path / "summary.csv").to_dict("records")[1]
    assert (torn["overrides"], torn["seed"]) == ("seed=2", 2)
    assert "is not the result of a run" in torn["error"]


def test_a_sweep_of_which_nothing_is_completed_has_its_table_and_says_so(tmp_path: Path) -> None:
    expect(tmp_path, {"a": ["optimizer.lr=1"], "b": ["optimizer.lr=2"]})
    assert report.summarise(tmp_path).line.startswith("0 of 2 runs completed, 2 missing")
    assert list(pd.read_csv(tmp_path / "summary.csv")["optimizer.lr"]) == [1, 2]
    assert (
        (tmp_path / "summary.md")
        .read_text()
        .startswith("0 of 2 runs completed, 2 missing.\n\n| status |")
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"jobs": ["a"]}'])
def test_a_list_of_jobs_that_cannot_be_read_is_refused_by_its_name(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / "jobs.json").write_text(text)
    with pytest.raises(ConfigError, match=r"jobs\.json is not the list of a sweep's jobs"):
        report.summarise(tmp_path)


def test_a_source_may_list_runs_and_sweeps_and_name_one_twice(leave: Leave, tmp_path: Path) -> None:
    for seed in (0, 1):
        leave(f"s/{seed}", [f"seed={seed}"], metrics={"mi": float(seed), "mi_stderr": 0.1})
    expect(tmp_path / "s", {"2": ["seed=2"]})
    leave("r", ["seed=5"], metrics={"mi": 4.0, "mi_stderr": 0.1})
    leave("r/report", ["runner=report"], metrics={"runs": 1, "completed": 1})
    results = Results.of([tmp_path / "s", tmp_path / "s" / "0", tmp_path / "r"])
    assert [run.path.name for run in results.runs] == ["r", "0", "1", "2"]
    assert results.means["mean"].tolist() == [pytest.approx(5 / 3)]
    with pytest.raises(ConfigError, match="source must name folders of runs"):
        Results.of([tmp_path / "s", tmp_path / "r" / "report"])


def test_a_run_is_running_while_it_lives_and_failed_once_it_is_killed(
    started: Callable[..., Background], tmp_path: Path
) -> None:
    process = started("runner.steps=1000000", name="a", lines=9)
    [run] = report.summarise(tmp_path / "outputs").unfinished
    assert (run.status, run.error) == ("running", "")
    process.send(signal.SIGKILL)
    process.ended()
    [run] = report.summarise(tmp_path / "outputs").unfinished
    assert run.status == "failed"
    assert run.error.endswith("the same command continues from its checkpoint")
