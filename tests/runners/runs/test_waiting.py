"""Long work prints a line every few seconds, and short work prints nothing."""

import logging
import time
from itertools import pairwise

import pytest

from infobound.runners.runs import progress, waiting
from infobound.runners.runs.progress import Progress
from infobound.runners.runs.waiting import Waiting, tracked


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_says_what_takes_how_long_and_what_is_left_of_its_parts() -> None:
    clock, left = Clock(), []
    with Waiting("reading", clock) as block:
        clock.now += 7
        assert block.line() == "reading: 7 s so far"
        for _ in tracked(range(4)):
            left.append(block.line())
            clock.now += 2
        assert block.line() == "reading: 15 s so far"
    assert left[0] == "reading: 7 s so far"
    assert left[1:] == [f"reading: {7 + 2 * n} s so far, {8 - 2 * n} s left" for n in (1, 2, 3)]


def test_parts_outside_a_block_are_only_gone_through() -> None:
    assert [*tracked([1, 2])] == [1, 2]


def test_lines_come_while_the_block_runs_and_none_before_the_first_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Waiting("short"):
        pass
    assert not caplog.records
    monkeypatch.setattr(waiting, "PAUSE", 0.02)
    with Waiting("long"):
        time.sleep(0.2)
    told = [record.created for record in caplog.records]
    assert len(told) >= 3
    assert min(after - before for before, after in pairwise(told)) > 0.01
    time.sleep(0.05)
    assert len(caplog.records) == len(told)


def test_steps_without_a_reading_print_a_line_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    with Progress(0, 100) as shown:
        for step in range(1, 13):
            clock.now += 1
            shown.show(step, "")
    assert [record.getMessage() for record in caplog.records] == [
        f"step {step}/100    1 steps/s  {100 - step} s left" for step in (5, 10)
    ]
