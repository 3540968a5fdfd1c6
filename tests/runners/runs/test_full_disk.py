"""A disk that is full from some moment on ends the run in one line, and its result says that it
failed.
"""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infobound.runners.runs import board
from tests.conftest import Ended

FOLDER = Path("outputs/runs/a")
Command = Callable[..., Ended]


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["checkpoint.pt", "result.json"])
def test_a_disk_that_is_full_later_leaves_no_run_running(
    name: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def fill(source: Path, target: Path) -> None:
        if Path(target).name == name and (FOLDER / "result.json").exists():
            monkeypatch.setattr(os, "replace", full)
            full()
        replace(source, target)

    monkeypatch.setattr(os, "replace", fill)
    ended = command("name=a")
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert "could not be written: No space left on device" in ended.err
    result = json.loads((FOLDER / "result.json").read_text())
    assert (result["status"], result["error"]["type"]) == ("failed", "RunFailed")
    monkeypatch.setattr(os, "replace", replace)
    assert command("name=a").code == 0, "with room on the disk it goes on"


def test_nothing_after_the_result_fails_the_run(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "row", full)
    assert command("name=a").code == 0
    assert json.loads((FOLDER / "result.json").read_text())["status"] == "completed"
