"""One process holds the lock at a time, and a dead process never blocks others."""

import threading
import time
from pathlib import Path

import pytest

from infobound.runners.runs.errors import Busy
from infobound.runners.runs.locks import LOCK, held, locked


def test_a_holder_removes_its_lock_file_and_a_dead_one_frees_it(
    tmp_path: Path,
) -> None:
    (tmp_path / LOCK).touch()  # as left by a killed process
    assert not held(tmp_path)
    with locked(tmp_path, seconds=0):
        assert held(tmp_path)
        with pytest.raises(Busy), locked(tmp_path, seconds=0.05):
            pytest.fail("it is taken")
    assert not held(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_a_waiting_process_gets_a_lock_whose_file_was_removed(tmp_path: Path) -> None:
    order = list[str]()

    def second() -> None:
        with locked(tmp_path, seconds=10):
            order.append("second")

    with locked(tmp_path, seconds=0):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.05)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
