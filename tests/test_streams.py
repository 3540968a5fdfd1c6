"""The output of a run may be lost, but the run ends normally."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infobound import launcher, streams
from infobound.runners.runs import plots
from tests.conftest import RUN, drawn_once, exit_code, small


def broken(descriptor: int) -> None:
    """Make the descriptor a pipe without a reader."""
    ours, theirs = os.pipe()
    os.close(ours)
    os.dup2(theirs, descriptor)


def full(descriptor: int) -> None:
    """Make the descriptor a full disk."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)


def opened(descriptor: int, encoding: str | None = None) -> None:
    """Reopen Python's stream on the current descriptor."""
    stream = os.fdopen(descriptor, "w", closefd=False, encoding=encoding)
    setattr(sys, {1: "stdout", 2: "stderr"}[descriptor], stream)


def closed(descriptor: int) -> None:
    """Close the descriptor, like `>&-`, after Python has created its stream."""
    os.close(descriptor)
    setattr(sys, {1: "stdout", 2: "stderr"}[descriptor], None)


def ended(folder: Path, spoil: Callable[[], None], *arguments: str) -> int | None:
    """The exit code of a command in a fork of this process, after `spoil`."""

    def perform() -> None:
        os.chdir(folder)
        for descriptor in (1, 2):
            os.dup2(os.open(folder / f"{descriptor}.txt", os.O_CREAT | os.O_RDWR), descriptor)
            opened(descriptor)
        spoil()
        plots.png = drawn_once
        sys.argv = [str(RUN), *small(arguments)]
        launcher.command()

    return exit_code(perform)


def test_a_lenient_stream_falls_silent_where_nobody_reads() -> None:
    ours, theirs = os.pipe()
    stream = streams.lenient(sys.__stdout__, theirs)
    stream.write("read ")
    stream.flush()
    assert os.read(ours, 99) == b"read "
    os.close(ours)
    for _ in range(3):
        stream.write("lost\n")
        stream.flush()
    stream.close()
    os.close(theirs)
    with streams.lenient(None, theirs) as nowhere:
        nowhere.write("lost")


@pytest.mark.parametrize("spoil", [broken, full, closed])
def test_streams_that_take_nothing_fail_no_run(
    spoil: Callable[[int], None], tmp_path: Path
) -> None:
    def spoiled() -> None:
        for descriptor in (1, 2):
            spoil(descriptor)
            if spoil is not closed:
                opened(descriptor)

    assert ended(tmp_path, spoiled, "name=a") == 0
    result = json.loads((tmp_path / "outputs/runs/a/result.json").read_text(encoding="utf-8"))
    assert result["status"] == "completed"
    assert ended(tmp_path, spoiled, "name=b", "critic.embed=0") == 2


def test_a_terminal_without_the_letter_shows_its_number(tmp_path: Path) -> None:
    assert ended(tmp_path, lambda: opened(1, "ascii"), "name=a") == 0
    assert r" \xb1 " in (tmp_path / "1.txt").read_text()
