"""A damaged file of a run or of a data set gives exit code 0, 1 or 2, one line that says why and no
traceback, within seconds, and nothing outside of the folder is touched.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infobound.datasets.files import frames, numpy_files
from infobound.datasets.files.csv_text import USUAL
from infobound.errors import SettingError
from infobound.runners.runs import checkpoint, schemas, snapshots
from infobound.runners.runs.errors import Damaged, DamagedState
from infobound.runners.runs.snapshots import Snapshots
from tests.conftest import Ended
from tests.damages import Damage, damages

OUTSIDE = "outside"
SECONDS, PATIENCE = 10, 120
"""The most that a command may take on the processor, and on a busy machine."""
many = settings(
    max_examples=int(os.environ.get("EXAMPLES", "120")),
    deadline=None,
    derandomize="EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
few = settings(many, phases=[Phase.generate], max_examples=int(os.environ.get("EXAMPLES", "12")))


@contextmanager
def at_once() -> Iterator[None]:
    """Fail if the block waits for something, or takes longer than seconds."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it takes longer than {PATIENCE} s")

    began = time.process_time()
    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert time.process_time() - began < SECONDS


def run_files(folder: Path) -> None:
    """A run's folder, without a run."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / "samples").mkdir()
    (folder / "result.json").write_text(
        '{"status": "completed", "metrics": {"mi": 1.0, "mi_replicates": [1.0, 2.0]}, "seed": 1,'
        ' "overrides": ["seed=1"], "error": null, "units": {"mi": "nats"}}'
    )
    (folder / "jobs.json").write_text('{"jobs": {"a": ["seed=1"]}, "files": {"a": "0f"}}')
    (folder / "metrics.jsonl").write_text('{"step": 1, "split": "validation", "mi": 1.0}\n' * 3)
    (folder / ".hydra/config.yaml").write_text("seed: 1\nrunner:\n  steps: 4\n  hidden: [8]\n")
    (folder / ".hydra/hydra.yaml").write_text("runtime:\n  choices:\n    runner: gan\nrun: {}\n")
    np.save(folder / "samples/data.npy", np.ones((4, 2), "f2"))
    np.save(folder / "samples/2.npy", np.ones((1, 4, 2), "f2"))
    state = {"step": 1, "seconds": 0.0, "best": 0.0, "window": {}, "task": {"a": {"b": [1]}}}
    checkpoint.save(folder / "checkpoint.pt", {**state, "metrics_bytes": 0})


def refusal(read: Callable[[], object]) -> str:
    """Why something cannot be read, empty if it can."""
    try:
        read()
    except (Damaged, DamagedState, SettingError) as error:
        return str(error)
    return ""


RUN_FILES: dict[str, Callable[[Path], object]] = {
    "result.json": schemas.result,
    "jobs.json": schemas.jobs,
    "metrics.jsonl": schemas.lines,
    ".hydra/config.yaml": schemas.config,
    ".hydra/hydra.yaml": schemas.choices,
    "samples/data.npy": lambda run: (found := Snapshots.of(run)) and found.last,
    "samples/2.npy": lambda run: (found := Snapshots.of(run)) and found.last,
    "checkpoint.pt": lambda run: checkpoint.load(run / "checkpoint.pt", schemas.OF_A_CHECKPOINT),
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / OUTSIDE
    path.write_text("[]\n")
    return path


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    run_files(folder)
    return folder


@contextmanager
def damaged(whole: Path, name: str, damage: Damage) -> Iterator[Path]:
    """A copy of the folder in which one file is damaged."""
    copy = whole.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    damage(copy / name)
    yield copy


def test_readers_of_a_run(run_folder: Path, outside: Path) -> None:
    @many
    @given(st.sampled_from([*RUN_FILES]), damages(outside))
    def refuse_or_read(name: str, damage: Damage) -> None:
        with damaged(run_folder, name, damage) as run, at_once():
            line = refusal(lambda: RUN_FILES[name](run))
            assert not line or f"{run}/" in line
            assert "\n" not in line

    refuse_or_read()
    assert outside.read_text() == "[]\n"


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "data"
    folder.mkdir()
    x = np.random.default_rng(0).normal(size=(16, 2))
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": ["u", "v"] * 8})
    table.to_csv(folder / "t.csv", index=False)
    table.to_parquet(folder / "t.parquet")
    np.savez(folder / "t.npz", x=x, y=x)
    np.save(folder / "t.npy", x)
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "t.h5", "w") as file:
        file["df/table"] = np.array([(0, *row) for row in x], "i8, f8, f8")
    return folder


def read_data(path: Path) -> None:
    if path.suffix.startswith(".np"):
        numpy_files.read(str(path), None if path.suffix == ".npz" else str(path), None)
    else:
        frames.frame("path", str(path), USUAL)


def test_readers_of_data(data_folder: Path, outside: Path) -> None:
    @many
    @given(st.sampled_from(sorted(os.listdir(data_folder))), damages(outside))
    def refuse_or_read(name: str, damage: Damage) -> None:
        with damaged(data_folder, name, damage) as folder, at_once():
            line = refusal(lambda: read_data(folder / name))
            assert not line or str(folder / name) in line
            assert "\n" not in line

    refuse_or_read()


COMMANDS = {
    "again": ["name=a"],
    "longer": ["name=a", "runner.steps=6"],
    "anew": ["name=a", "force=true"],
    "loaded": ["runner.load=outputs/runs/a", "name=b"],
    "found": ["runner.load=outputs/runs seed=3", "name=b"],
    "reported": ["runner=report", "runner.source=outputs/runs", "name=b"],
}
"""Commands that read the folder of the run `a`."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made") / "outputs"


@pytest.mark.slow
def test_commands_on_a_damaged_run(
    made: Path, command: Callable[..., Ended], outside: Path, tmp_path: Path
) -> None:
    assert command("name=a", "seed=3", "runner.keep=best").code == 0
    run = Path("outputs/runs/a")
    snapshots.write(run, None, torch.ones(4, 2))
    snapshots.write(run, 2, torch.ones(1, 4, 2))
    shutil.copytree("outputs", made)
    names = sorted(str(each.relative_to(run)) for each in run.rglob("*") if each.is_file())

    @few
    @given(st.sampled_from(names), st.sampled_from([*COMMANDS]), damages(outside))
    def end_well(name: str, called: str, damage: Damage) -> None:
        shutil.rmtree("outputs")
        shutil.copytree(made, "outputs")
        damage(run / name)
        with at_once():
            ended = command(*COMMANDS[called])
        assert ended.code in (0, 1, 2)
        assert "Traceback" not in ended.err
        said = [line for line in ended.err.splitlines() if not line.startswith("step ")]
        assert len(said) == (ended.code != 0)

    end_well()
    assert outside.read_text() == "[]\n"
    assert os.listdir(tmp_path) == ["outputs"]
    assert os.listdir(outside.parent) == [outside.name]
