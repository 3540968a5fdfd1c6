"""Real processes that are killed and interrupted: resumed runs end like uninterrupted ones."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from infobound.runners.critics.task import CriticTraining
from infobound.runners.runs import checkpoint, schemas
from tests.conftest import Background

RUNS = Path("outputs/runs")
SAMPLED = [
    "runner.steps=240",
    "runner.log_every=7",
    "runner.eval_every=50",
    "runner.checkpoint_every=20",
    "runner.keep=best",
    "runner.csv=true",
    "replicates=2",
]
TABLE = [
    "dataset=arrays",
    "dataset.path=pairs.npz",
    "runner.steps=100000",
    "runner.patience=20",
    "runner.log_every=7",
    "runner.eval_every=20",
    "runner.checkpoint_every=9",
    "optimizer.lr=0.02",
]
Command = Callable[..., Any]
Started = Callable[..., Background]


@pytest.fixture
def pairs(tmp_path: Path) -> None:
    """A table so small that a critic overfits it, and stops early."""
    x, noise = np.random.default_rng(0).normal(size=(2, 150, 2))
    np.savez(tmp_path / "pairs.npz", x=x, y=x + noise)


def outcome(name: str) -> dict[str, Any]:
    """The result without times and without the overrides, which contain the name."""
    found = json.loads((RUNS / name / "result.json").read_text())
    return {
        key: value
        for key, value in found.items()
        if key not in ("seconds", "steps_per_second", "overrides")
    }


def plain(state: Any) -> Any:
    """A state with lists instead of tensors."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [*map(plain, state)]
    return state.tolist() if isinstance(state, Tensor) else state


def assert_same(one: str, other: str) -> None:
    """Check that two runs are identical."""
    for file in ("metrics.jsonl", "metrics.csv"):
        pair = [RUNS / name / file for name in (one, other)]
        assert pair[0].exists() == pair[1].exists()
        assert not pair[0].exists() or pair[0].read_bytes() == pair[1].read_bytes()
    kept = [checkpoint.load(RUNS / name / "best.pt") for name in (one, other)]
    assert plain(kept[0]) == plain(kept[1])
    assert outcome(one) == outcome(other)


def drawn(name: str) -> list[list[int]]:
    """The steps of the training curve and of the pictures in TensorBoard."""
    events = EventAccumulator(str(RUNS / name), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return [
        [event.step for event in drawn]
        for drawn in (events.Scalars("mi/train"), events.Images("estimate"))
    ]


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize(
    ("arguments", "kills"),
    [
        pytest.param(SAMPLED, 2, id="sampled"),
        pytest.param(TABLE, 4, id="table with early stopping", marks=pytest.mark.slow),
    ],
)
def test_a_repeatedly_killed_run_ends_as_if_never_killed(
    arguments: list[str], kills: int, command: Command, started: Started
) -> None:
    assert command(*arguments, "name=whole").code == 0
    lines = (RUNS / "whole" / "metrics.jsonl").read_bytes().count(b"\n")
    chance = random.Random(0)
    for kill in range(kills):
        begin = lines * kill // (kills + 2)
        process = started(
            *arguments, name="killed", lines=begin + chance.randrange(1, max(2, lines // 8))
        )
        time.sleep(chance.uniform(0, 0.02))
        process.send(signal.SIGKILL)
        assert process.ended().code == -signal.SIGKILL, "it was killed before its end"
    assert outcome("killed")["status"] == "running"
    # TensorBoard reads files of one second in the order of their process numbers.
    time.sleep(1 - time.time() % 1)
    assert command(*arguments, "name=killed").code == 0
    assert_same("whole", "killed")
    assert drawn("killed") == drawn("whole")
    assert not [path.name for path in (RUNS / "killed").iterdir() if path.name.endswith(".new")]


@pytest.mark.slow
def test_eighty_interruptions_at_random_moments_lose_nothing_and_tear_no_file(
    command: Command, background: Callable[..., Background]
) -> None:
    arguments = [
        "runner.steps=400",
        "runner.log_every=3",
        "runner.eval_every=50",
        "runner.checkpoint_every=20",
    ]
    assert command(*arguments, "name=whole").code == 0
    chance, interruptions, number = random.Random(0), 0, 0
    while interruptions < 80:
        name = f"run{number}"
        process = background(*arguments, f"name={name}")
        process.wait(chance.uniform(0, 1.5))
        if process.alive:
            process.send(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        code = process.ended().code
        interruptions += code != 0
        if (RUNS / name).is_dir():
            status = (schemas.result(RUNS / name) or {"status": "none"})["status"]
            checkpoint.load(RUNS / name / "checkpoint.pt")
            assert (
                status == "completed" or code != 0
            )  # a kill may arrive between the result and the exit
        if code == 0:
            assert_same("whole", name)
            number += 1
    assert number > 1, "some came to their end"


def test_an_interrupted_run_says_so_and_the_same_command_continues(
    command: Command, started: Started
) -> None:
    arguments = [
        "runner.steps=300",
        "runner.log_every=5",
        "runner.eval_every=50",
        "runner.checkpoint_every=100000",
    ]
    written = b""
    for number, code, lines in ((signal.SIGINT, 130, 10), (signal.SIGTERM, 143, 30)):
        process = started(*arguments, name="broken", lines=lines)
        process.send(number)
        ended = process.ended()
        assert ended.code == code
        assert ended.err.splitlines()[-1].startswith(
            "interrupted; the same command with the same name continues from the checkpoint in "
        )
        assert "Traceback" not in ended.err
        assert outcome("broken")["status"] == "interrupted"
        assert (RUNS / "broken" / "checkpoint.pt").is_file()
        before, written = written, (RUNS / "broken" / "metrics.jsonl").read_bytes()
        assert written.startswith(before), "nothing was done twice"
    assert command(*arguments, "name=broken").code == 0
    assert (RUNS / "broken" / "metrics.jsonl").read_bytes().startswith(written)
    assert command(*arguments, "name=whole").code == 0
    assert_same("whole", "broken")


def test_a_signal_after_the_last_step_leaves_the_training_done(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            CriticTraining, "read", lambda *arguments: signal.raise_signal(signal.SIGTERM)
        )
        assert command("name=broken").code == 143
    assert outcome("broken")["status"] == "interrupted"
    assert command("name=broken").code == command("name=whole").code == 0
    assert_same("whole", "broken")


def test_a_second_process_in_a_directory_is_refused_while_the_first_runs(
    command: Command, started: Started
) -> None:
    process = started("runner.steps=1000000", name="a", lines=3)
    for force in ("false", "true"):
        ended = command("runner.steps=1000000", "name=a", f"force={force}")
        assert ended.code == 2
        assert ended.err.startswith("refused: another process is running in ")
        assert ended.err.count("\n") == 1
    assert process.alive
    assert outcome("a")["status"] == "running"


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize(
    "arguments", [["replicates=3", "estimator=mine", "critic=concat"], TABLE[:2]]
)
def test_two_runs_of_one_seed_write_the_same_bytes_and_another_seed_does_not(
    arguments: list[str], command: Command
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert command(*arguments, "runner.steps=20", f"name={name}", f"seed={seed}").code == 0
    assert_same("a", "b")
    assert (RUNS / "a" / "metrics.jsonl").read_bytes() != (
        RUNS / "c" / "metrics.jsonl"
    ).read_bytes()
