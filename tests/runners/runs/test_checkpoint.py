"""A checkpoint is written completely or not at all, and no other file is ever opened."""

import errno
import hashlib
import os
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from infobound.runners.runs import checkpoint
from infobound.runners.runs.errors import RunFailed


def state(step: int = 3) -> dict[str, Any]:
    return {
        "step": step,
        "seconds": 1.5,
        "window": {},
        "task": {"weights": torch.randn(40, 40), "waited": [0, 1]},
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pt"


def test_what_is_loaded_is_what_was_saved(path: Path) -> None:
    before = state()
    checkpoint.save(path, before)
    after = checkpoint.load(path)
    assert after is not None
    assert torch.equal(after["task"].pop("weights"), before["task"].pop("weights"))
    assert after == before
    assert os.listdir(path.parent) == [path.name]


def test_there_is_nothing_to_load_before_the_first_save(path: Path) -> None:
    assert checkpoint.load(path) is None


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_good_checkpoint(
    call: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    checkpoint.save(path, state())
    before = path.read_bytes()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(
        RunFailed,
        match=r"checkpoint.pt could not be written: No space left on device; its previous content",
    ):
        checkpoint.save(path, state(step=4))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_concurrent_writers_of_one_file_take_turns(path: Path) -> None:
    contents = [bytes([each]) * 100_000 for each in range(8)]

    def write(content: bytes) -> None:
        for _ in range(20):
            checkpoint.write_atomically(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(write, contents))
    assert os.listdir(path.parent) == [path.name]


class Killed(BaseException):
    """Ends a write like a kill: nothing catches it."""


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kill_during_a_write_leaves_the_old_file_and_the_next_write_clears_up(
    call: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*arguments: Any) -> None:
        raise Killed

    checkpoint.save(path, state())
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, kill)
        with pytest.raises(Killed):
            checkpoint.save(path, state(step=4))
    assert path.read_bytes() == before
    checkpoint.save(path, state(step=5))
    loaded = checkpoint.load(path)
    assert loaded is not None
    assert loaded["step"] == 5
    assert os.listdir(path.parent) == [path.name]


def damaged(whole: bytes, kind: str, chance: random.Random) -> bytes:
    start = chance.randrange(len(whole))
    tail = whole[start:]
    return {
        "cut": whole[:start],
        "one bit": whole[:start] + bytes([tail[0] ^ 1 << chance.randrange(8)]) + tail[1:],
        "zeros": whole[:start] + bytes(len(tail[:512])) + tail[512:] + b"\0",
        "longer": whole + chance.randbytes(9),
        "noise": chance.randbytes(start),
    }[kind]


@pytest.mark.parametrize("kind", ["cut", "one bit", "zeros", "longer", "noise"])
def test_a_damaged_checkpoint_is_never_accepted(kind: str, path: Path) -> None:
    checkpoint.save(path, state())
    whole, chance = path.read_bytes(), random.Random(kind)
    for _ in range(200):
        path.write_bytes(damaged(whole, kind, chance))
        with pytest.raises(
            RunFailed,
            match="is damaged or not a checkpoint; move it away, or start again with force=true",
        ):
            checkpoint.load(path)


class Shell:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self._path, "w")


def test_a_pickle_is_never_run(path: Path) -> None:
    trace = path.parent / "ran"
    path.write_bytes(pickle.dumps(Shell(trace)))
    with pytest.raises(RunFailed, match="not a checkpoint"):
        checkpoint.load(path)
    torch.save({"step": Shell(trace)}, path)
    with pytest.raises(RunFailed, match="not a checkpoint"):
        checkpoint.load(path)
    path.write_bytes(path.read_bytes() + hashlib.sha256(path.read_bytes()).digest())
    with pytest.raises(RunFailed, match="other types than tensors"):
        checkpoint.load(path)
    assert not trace.exists()


def test_a_foreign_file_of_weights_is_not_a_checkpoint(path: Path) -> None:
    torch.save({"step": 3, "weight": torch.zeros(3)}, path)
    with pytest.raises(RunFailed, match="not a checkpoint"):
        checkpoint.load(path)
