"""Sweeps whose jobs run elsewhere, compared with the same eight jobs in local processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RUN, TARGET, small

LONG = ["runner.steps=600", "runner.eval_every=100", "runner.checkpoint_every=100"]
HANGING = [
    "allow_targets=[tests.launchers.faulty]",
    f"dataset.{TARGET}=tests.launchers.faulty.Faulty",
    "+dataset.number=10",
    "sweep.job_timeout=10",
    "sweep.grace=1",
]
"""A job that does not end when it is asked to."""
PATIENCE = 240
"""Seconds that are enough on a busy machine, too."""


def until(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass(frozen=True)
class Sweep:
    """`python run.py -m name=... seed=...` under a launcher, in a folder."""

    home: Path
    name: str
    arguments: list[str]
    launchers: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.home / "outputs" / "sweeps" / self.name

    def begun(self) -> subprocess.Popen[str]:
        line = [
            sys.executable,
            str(RUN),
            "-m",
            *small((*LONG, *self.arguments, f"name={self.name}")),
        ]
        process = subprocess.Popen(
            line, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.launchers.append(process)
        return process

    def run(self) -> tuple[int, str]:
        """Its exit code and its output."""
        process = self.begun()
        told, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, told

    def job(self, seed: int) -> Path:
        """The folder of the job with a seed."""
        jobs = json.loads((self.folder / "jobs.json").read_text())["jobs"]
        [found] = [
            self.folder / name for name, overrides in jobs.items() if f"seed={seed}" in overrides
        ]
        return found

    def training(self, seed: int) -> bool:
        """Whether that job has recorded some steps."""
        if not (self.folder / "jobs.json").is_file():
            return False
        metrics = self.job(seed) / "metrics.jsonl"
        return metrics.is_file() and metrics.read_bytes().count(b"\n") >= 20

    def kill(self, seed: int) -> None:
        """Kill the process that prints into that job's log."""
        prints = [
            path
            for path in Path("/proc").glob("[0-9]*/fd/1")
            if _target(path) == str(self.job(seed) / "run.log")
        ]
        [process] = {int(path.parts[2]) for path in prints}
        os.kill(process, signal.SIGKILL)

    def statuses(self) -> list[str]:
        """The statuses of all jobs in summary.csv, by seed."""
        with (self.folder / "summary.csv").open(newline="") as file:
            return [
                row["status"]
                for row in sorted(csv.DictReader(file), key=lambda row: int(row["seed"]))
            ]

    def metrics(self, seed: int) -> bytes:
        return (self.job(seed) / "metrics.jsonl").read_bytes()

    def completions(self, seed: int) -> int:
        return (self.job(seed) / "run.log").read_text().count("\nI(X;Y) = ")


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    """`sweep("seed=range(8)", "hydra/launcher=slurm")`, whose launchers end with the test."""
    launchers: list[subprocess.Popen[str]] = []
    yield lambda *arguments: Sweep(tmp_path, "grid", list(arguments), launchers)
    for process in launchers:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The jobs of seeds 0 to 7, undisturbed on this machine."""
    local = Sweep(tmp_path_factory.mktemp("quiet"), "quiet", ["seed=range(8)"])
    code, told = local.run()
    assert code == 0, told
    return local
