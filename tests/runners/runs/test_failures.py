"""Runs that cannot continue: exit code 1, one line that says why, a result with the traceback, and
no loss of good files.
"""

import errno
import json
import math
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from infobound.runners.critics.task import CriticTraining
from tests.conftest import Background

FOLDER = Path("outputs/runs/a")
Command = Callable[..., Any]
DIVERGING = ["name=a", "estimator=nwj", "optimizer=sgd", "optimizer.lr=1e30"]


def assert_failed(ended: Any, *words: str) -> None:
    """Check exit code 1, and one line with these words in addition to the progress."""
    assert ended.code == 1
    lines = [line for line in ended.err.splitlines() if not line.startswith("step ")]
    assert len(lines) == 1
    assert lines[0].startswith("failed: ")
    assert [word for word in words if word not in lines[0]] == []


def result() -> dict[str, Any]:
    return json.loads((FOLDER / "result.json").read_text())


@pytest.mark.parametrize(
    ("cadence", "words"),
    [
        ([], ["loss stopped being finite at step 2"]),
        (
            ["runner.log_every=50", "runner.eval_every=50", "runner.checkpoint_every=50"],
            ["loss", "step 2"],
        ),
        (
            [
                "runner.log_every=50",
                "runner.eval_every=1",
                "runner.checkpoint_every=50",
                "runner.average=0",
            ],
            ["mi of the validation pairs is not finite at step "],
        ),
        (
            ["runner.steps=1", "runner.average=0"],
            ["mi of the validation pairs is not finite at step 1"],
        ),
        (
            ["runner.steps=1", "runner.average=0", "runner.eval_every=1"],
            ["mi of the validation pairs", "step 1"],
        ),
        (["replicates=3"], ["loss stopped being finite at step 2"]),
    ],
)
def test_a_value_that_stops_being_finite_ends_the_run_and_is_never_written(
    cadence: list[str], words: list[str], command: Command
) -> None:
    assert_failed(
        command(*DIVERGING, "runner.steps=100", *cadence), *words, "try a lower optimizer.lr"
    )
    found = result()
    assert (found["status"], found["error"]["type"], found["metrics"]) == (
        "failed",
        "RunFailed",
        {},
    )
    assert "Traceback" in found["error"]["traceback"]
    assert words[0] in found["error"]["message"]
    lines = [
        json.loads(line, parse_constant=pytest.fail)
        for line in (FOLDER / "metrics.jsonl").read_text().splitlines()
    ]
    assert all(
        math.isfinite(value)
        for line in lines
        for value in line.values()
        if isinstance(value, float)
    )


def test_a_failed_run_fails_again_and_force_starts_again(command: Command) -> None:
    first = command(*DIVERGING)
    assert command(*DIVERGING).err == first.err
    assert command(*DIVERGING, "force=true", "optimizer.lr=1e-3").code == 0
    assert result()["status"] == "completed"


def test_a_full_disk_ends_the_run_and_leaves_the_last_good_checkpoint(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("name=a", "runner.steps=2").code == 0
    before, replace = (FOLDER / "checkpoint.pt").read_bytes(), os.replace

    def full(source: Path, target: Path) -> None:
        if Path(target).name == "checkpoint.pt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert_failed(
            command("name=a"), "checkpoint.pt could not be written: No space left on device"
        )
    assert (FOLDER / "checkpoint.pt").read_bytes() == before
    assert result()["status"] == "failed"
    assert command("name=a").code == 0, "with room on the disk it goes on"


def test_an_unwritable_disk_is_reported_in_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert_failed(command("name=a"), "could not be written: No space left on device")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: not enough memory: you tried"
            " to allocate 9 bytes"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        MemoryError("Unable to allocate 9 GiB"),
    ],
    ids=["processor", "GPU", "NumPy"],
)
def test_out_of_memory_is_reported_in_one_line_with_the_way_out(
    error: Exception, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(CriticTraining, "step", allocate)
    assert_failed(command("name=a"), "out of memory", "9", "lower runner.batch_size")
    assert result()["status"] == "failed"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run named a, of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    assert Background(["name=a", "runner.steps=2"], folder).ended().code == 0
    return folder


class Shell:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("ran", "w")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1000]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(os.urandom(3000)),
        lambda path: path.write_bytes(
            path.read_bytes()[:900] + bytes(64) + path.read_bytes()[964:]
        ),
        lambda path: torch.save({"step": 2, "weight": torch.zeros(3)}, path),
        lambda path: torch.save({"step": Shell()}, path),
        lambda path: path.write_bytes(pickle.dumps(Shell())),
    ],
    ids=[
        "truncated",
        "empty",
        "random bytes",
        "a hole",
        "weights from elsewhere",
        "torch pickle",
        "pickle",
    ],
)
def test_a_damaged_checkpoint_is_refused_and_never_executed(
    spoil: Callable[[Path], None], command: Command, trained: Path
) -> None:
    shutil.copytree(trained, ".", dirs_exist_ok=True)
    metrics = (FOLDER / "metrics.jsonl").read_bytes()
    spoil(FOLDER / "checkpoint.pt")
    spoiled = (FOLDER / "checkpoint.pt").read_bytes()
    assert_failed(command("name=a"), "checkpoint.pt is damaged or not a checkpoint", "force=true")
    assert not Path("ran").exists()
    assert (FOLDER / "checkpoint.pt").read_bytes() == spoiled
    assert (FOLDER / "metrics.jsonl").read_bytes() == metrics
    assert (result()["status"], result()["steps"]) == ("completed", 2), "what was completed stays"
    assert command("name=a", "runner.steps=2").code == 0


def test_force_starts_again_without_reading_a_damaged_checkpoint(command: Command) -> None:
    assert command("name=a", "runner.steps=2").code == 0
    (FOLDER / "checkpoint.pt").write_bytes(pickle.dumps(Shell()))
    assert command("name=a", "force=true").code == 0
    assert not Path("ran").exists()
    assert result()["steps"] == 4
