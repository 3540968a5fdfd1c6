"""The files of a run, as read by other tools."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from infobound.runners.runs import records, schemas
from infobound.runners.runs.errors import ConfigError, RunFailed
from infobound.runners.runs.records import Recording
from infobound.runners.runs.run_directory import RunDirectory

FOLDER = Path("outputs/runs/a")
Command = Callable[..., Any]


def result() -> dict[str, Any]:
    return json.loads((FOLDER / "result.json").read_text())


def metrics() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_the_files_of_its_kind_and_no_others(command: Command) -> None:
    assert command("name=a").code == 0
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents.")}
    assert len(events) == 2, "one as it goes, and its row"
    assert files - events == {
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "checkpoint.pt",
        "figures/estimate.png",
        "metrics.jsonl",
        "result.json",
        "run.log",
    }
    assert (FOLDER / "figures/estimate.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "step 4/4" in (FOLDER / "run.log").read_text()
    assert yaml.safe_load((FOLDER / ".hydra/config.yaml").read_text())["critic"]["embed"] == 4
    assert "critic.embed=4" in yaml.safe_load((FOLDER / ".hydra/overrides.yaml").read_text())


@pytest.mark.parametrize("replicates", [1, 3])
def test_the_result_says_what_came_out_and_how(replicates: int, command: Command) -> None:
    ended = command("name=a", "seed=5", f"replicates={replicates}")
    found = result()
    assert set(found) == {
        "status",
        "metrics",
        "units",
        "score",
        "summary",
        "seed",
        "steps",
        "seconds",
        "steps_per_second",
        "config_hash",
        "overrides",
        "versions",
        "error",
    }
    assert found["units"] == {"mi": "nats", "mi_stderr": "nats"}
    numbers = found["metrics"]
    assert set(numbers) >= {
        "mi",
        "mi_stderr",
        "mi_true",
        "mi_cap",
        "mi_replicates",
        "mi_interval",
        "mi_lower_bound",
        "stderr_of",
        "kind",
        "warnings",
    }
    assert (found["status"], found["seed"], found["steps"], found["error"]) == (
        "completed",
        5,
        4,
        None,
    )
    assert (
        found["score"] == numbers["mi"] == pytest.approx(sum(numbers["mi_replicates"]) / replicates)
    )
    assert (len(numbers["mi_replicates"]), numbers["mi_true"]) == (replicates, 2.0)
    assert numbers["mi_stderr"] > 0
    assert found["seconds"] > 0
    assert found["summary"] == ended.out.splitlines()[0]
    assert "seed=5" in found["overrides"]
    assert set(found["versions"]) == {"python", "torch", "numpy", "hydra-core", "omegaconf"}


def test_metrics_hold_a_line_for_each_occasion_and_no_clock(command: Command) -> None:
    assert command("name=a", "replicates=2").code == 0
    lines = metrics()
    assert [(line["step"], line["split"]) for line in lines] == [
        (0, "validation"),
        (1, "train"),
        (2, "train"),
        (2, "validation"),
        (3, "train"),
        (4, "train"),
        (4, "validation"),
        (4, "test"),
    ]
    keys = {line["split"]: set(line) - {"step", "split"} for line in lines}
    assert keys["train"] == {"loss", "mi"}
    assert keys["validation"] == {"mi", "mi_replicates"}
    assert keys["test"] == {"mi", "mi_stderr"}
    assert lines[-1]["mi"] == result()["metrics"]["mi"]


def test_an_unknown_truth_is_null(command: Command, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "pairs.npz", x=rows, y=rows)
    assert command("name=a", "dataset=arrays", "dataset.path=pairs.npz", "estimator=dv").code == 0
    assert (result()["metrics"]["mi_true"], result()["metrics"]["mi_cap"]) == (None, None)


def run_directory(path: Path, seed: int = 0) -> RunDirectory:
    config = {"seed": seed, "runner": {"steps": 2}}
    return RunDirectory(
        path,
        {"config.yaml": yaml.safe_dump(config), "overrides.yaml": "[]"},
        [f"seed={seed}"],
        expected=False,
    )


@contextmanager
def recorded(path: Path) -> Iterator[Recording]:
    directory = run_directory(path)
    with directory.claimed(), directory.recording(force=False) as recording:
        yield recording


def contents(path: Path) -> dict[Path, bytes | None]:
    """The contents of a folder's files; None for TensorBoard's, which a thread writes at an unknown
    time.
    """
    files = [each for each in path.rglob("*") if each.is_file()]
    return {each: None if each.name.startswith("events.") else each.read_bytes() for each in files}


def test_a_second_claim_of_a_directory_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with recorded(path) as recording:
        before = contents(path)
        with (
            pytest.raises(ConfigError, match="another process is running in"),
            run_directory(path, 1).claimed(),
        ):
            pytest.fail("the directory is claimed")
        assert contents(path) == before
        recording.complete(records.Outcome({"mi": 1.0}, 1.0, "one nat", {"mi": "nats"}))
    assert run_directory(path).completed() is not None


def test_a_failure_is_recorded_with_its_traceback_and_is_not_completed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(tmp_path):
        _ = 1 / 0
    found = schemas.result(tmp_path)
    assert found is not None
    assert (found["status"], found["error"]["type"]) == ("failed", "ZeroDivisionError")
    assert "_ = 1 / 0" in found["error"]["traceback"]
    assert run_directory(tmp_path).completed() is None


def test_a_result_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with recorded(tmp_path):
        pass
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(ConfigError, match=r"result.json is not the result of a run: .*force=true"):
        run_directory(tmp_path).completed()


def test_a_run_with_lost_lines_is_not_continued(tmp_path: Path) -> None:
    with recorded(tmp_path) as recording:
        recording.write(1, "train", {"mi": 1.0})
        recording.save({"step": 1, "seconds": 0.0, "window": {}, "best": 0.0, "task": {}})
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(RunFailed, match="has lost lines"), recorded(tmp_path):
        pytest.fail("the lines are gone")


def test_a_number_that_is_not_finite_is_never_written(tmp_path: Path) -> None:
    with recorded(tmp_path) as recording:
        recording.write(1, "train", {"mi": 1.0})
        with pytest.raises(ValueError, match="not JSON compliant"):
            recording.write(2, "train", {"mi": float("nan")})
        assert recording.history() == [{"step": 1, "split": "train", "mi": 1.0}]
