"""Sweeps whose jobs and launchers die: good jobs run once, and every failure is reported."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RUN, TARGET, small
from tests.launchers import faulty

FAULTY = [
    "allow_targets=[tests.launchers.faulty]",
    f"dataset.{TARGET}=tests.launchers.faulty.Faulty",
    "runner.steps=24",
    "runner.checkpoint_every=5",
]
BAD = {*faulty.RAISING, *faulty.KILLED, *faulty.EXITING, *faulty.HANGING}
Command = Callable[..., Any]


def begun(arguments: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The launcher in its own process."""
    line = [sys.executable, str(RUN), "-m", *small(tuple(arguments))]
    return subprocess.Popen(
        line, cwd=folder, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    )


def sweep(name: str, numbers: str) -> list[str]:
    return [
        *FAULTY,
        f"name={name}",
        f"+dataset.number={numbers}",
        "sweep.job_timeout=15",
        "sweep.grace=1",
    ]


def results(folder: Path) -> dict[int, Path]:
    """The folders of a sweep's jobs by their numbers."""
    found = (path.parent for path in folder.glob("*/result.json"))
    return {
        int(path.name.partition("dataset.number=")[2].partition(",")[0]): path for path in found
    }


def read(path: Path) -> dict[str, Any]:
    return json.loads((path / "result.json").read_text())


def completed(folder: Path) -> int:
    return sum(read(path)["status"] == "completed" for path in results(folder).values())


@pytest.mark.slow
def test_sixty_jobs_with_eleven_faults_and_a_killed_launcher_end_like_an_undisturbed_sweep(
    tmp_path: Path,
) -> None:
    numbers, folder = "range(60)", tmp_path / "outputs" / "sweeps" / "noisy"
    first = begun(sweep("noisy", numbers), tmp_path)
    while completed(folder) < 20:
        time.sleep(0.05)
        assert first.poll() is None
    first.kill()
    first.communicate()
    assert completed(folder) < 49
    second = begun(sweep("noisy", numbers), tmp_path)
    _, told = second.communicate(timeout=300)
    assert second.returncode == 3, told
    quiet = begun(sweep("quiet", numbers), tmp_path, FAULTS="no")
    assert quiet.wait(timeout=300) == 0
    found, wanted = results(folder), results(folder.with_name("quiet"))
    assert found.keys() == wanted.keys() == set(range(60))
    for number, path in found.items():
        result, log = read(path), (path / "run.log").read_text()
        assert not list(path.rglob("*.new")), "no file is torn"
        if number in BAD:
            assert result["status"] == "failed"
            assert result["error"]["message"]
            assert result["error"]["message"] in told
            continue
        assert log.count("\nI(X;Y) = ") == 1, "it was completed once"
        assert (path / "metrics.jsonl").read_bytes() == (
            wanted[number] / "metrics.jsonl"
        ).read_bytes()
        assert result["metrics"] == read(wanted[number])["metrics"]
    rows = list(csv.DictReader((folder / "summary.csv").open()))
    assert len(rows) == 60
    assert sum(row["status"] == "completed" for row in rows) == 49


@pytest.mark.slow
def test_two_launchers_at_once_share_the_work(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "sweeps" / "shared"
    launchers = [begun(sweep("shared", "range(20,40)"), tmp_path) for _ in range(2)]
    for launcher in launchers:
        _, told = launcher.communicate(timeout=300)
        assert launcher.returncode == 0, told
    for path in results(folder).values():
        assert read(path)["status"] == "completed"
        assert (path / "run.log").read_text().count("\nI(X;Y) = ") == 1, "one launcher did it"
    assert len(results(folder)) == 20
