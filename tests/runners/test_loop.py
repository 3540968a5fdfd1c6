"""The loop's cadence, windows, checkpoints, signals and finite check, on a task that counts its
steps.
"""

import copy
import signal
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.runners.runs.errors import Interrupted, RunFailed
from infobound.runners.runs.records import InMemory
from infobound.runners.runs.signals import interruptible
from infobound.runners.training.loop import Cadence, Loop


class Counting:
    """A task whose loss is the number of its step, times r + 1 in copy r."""

    def __init__(
        self,
        *,
        copies: int = 1,
        last: int | None = None,
        during: Callable[[int], None] | None = None,
    ) -> None:
        self._steps, self._last, self._during = 0, last, during
        self._factors = torch.arange(1.0, copies + 1)

    def step(self) -> Mapping[str, Tensor]:
        self._steps += 1
        if self._during:
            self._during(self._steps)
        return {"loss": self._steps * self._factors}

    def evaluate(self, step: int) -> Mapping[str, Any]:
        assert step == self._steps
        return {"mi": float(step)}

    def finished(self) -> bool:
        return self._steps == self._last

    def state(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load(self, state: Mapping[str, Any]) -> None:
        self._steps = state["steps"]


class Kept:
    """A record in memory that keeps its checkpoints too, and goes back to the last one as a run's
    directory does.
    """

    def __init__(self) -> None:
        self.checkpoints: list[dict[str, Any]] = []
        self._memory = InMemory()
        self.write, self.history = self._memory.write, self._memory.history
        self.constants, self.figure = self._memory.constants, self._memory.figure
        self.rows, self.samples = self._memory.rows, self._memory.samples

    def save(self, state: dict[str, Any]) -> None:
        self.checkpoints.append(copy.deepcopy({**state, "lines": len(self.history())}))

    def restore(self) -> dict[str, Any] | None:
        del self.history()[self.checkpoints[-1]["lines"] if self.checkpoints else 0 :]
        return self.checkpoints[-1] if self.checkpoints else None


def cadence(
    steps: int = 10, log: int = 4, evaluate: int = 3, save: int = 100, seconds: float | None = None
) -> Cadence:
    return Cadence(steps, log, evaluate, save, seconds)


def written(record: Kept, split: str, name: str) -> dict[int, float]:
    return {line["step"]: line[name] for line in record.history() if line["split"] == split}


def saved(record: Kept) -> list[int]:
    return [state["step"] for state in record.checkpoints]


def test_a_train_line_is_the_mean_since_the_last_one_and_none_is_left_over() -> None:
    record = Kept()
    Loop(Counting(), cadence(), record).run()
    assert written(record, "train", "loss") == {4: 2.5, 8: 6.5, 10: 9.5}


def test_a_train_line_is_the_mean_over_the_copies() -> None:
    record = Kept()
    Loop(Counting(copies=3), cadence(steps=1), record).run()
    assert written(record, "train", "loss") == {1: 2.0}


@pytest.mark.parametrize(
    ("steps", "evaluated"), [(10, [0, 3, 6, 9, 10]), (9, [0, 3, 6, 9]), (2, [0, 2])]
)
def test_evaluations_come_at_both_ends_and_with_their_cadence_between(
    steps: int, evaluated: list[int]
) -> None:
    record = Kept()
    Loop(Counting(), cadence(steps), record).run()
    assert list(written(record, "validation", "mi")) == evaluated


@pytest.mark.parametrize(
    ("task", "drawn"), [(Counting(), [1, 4, 16, 64]), (Counting(last=16), [1, 4])]
)
def test_pictures_come_ever_more_seldom_and_not_of_the_last_step(
    task: Counting, drawn: list[int]
) -> None:
    steps: list[int] = []
    Loop(task, cadence(steps=256, evaluate=1), Kept(), steps.append).run()
    assert steps == drawn


@pytest.mark.parametrize(("every", "steps"), [(100, [10]), (4, [4, 8, 10]), (5, [5, 10])])
def test_checkpoints_come_with_their_cadence_and_once_at_the_end(
    every: int, steps: list[int]
) -> None:
    record = Kept()
    Loop(Counting(), cadence(save=every), record).run()
    assert saved(record) == steps


def test_checkpoints_come_by_the_clock_too() -> None:
    record = Kept()
    Loop(Counting(), cadence(steps=3, seconds=1e-9), record).run()
    assert saved(record) == [1, 2, 3]


def test_a_task_that_has_finished_is_not_stepped_again() -> None:
    record = Kept()
    assert Loop(Counting(last=5), cadence(), record).run().steps == 5
    assert list(written(record, "train", "loss")) == [4, 5]
    assert saved(record) == [5]


class Killed(BaseException):
    """Ends a run as a kill would: nothing catches it."""


@pytest.mark.parametrize("step", range(1, 11))
@pytest.mark.parametrize("every", [1, 3, 4])
def test_a_run_killed_at_any_step_goes_on_as_if_never_killed(step: int, every: int) -> None:
    def kill(now: int) -> None:
        if now == step:
            raise Killed

    whole, broken = Kept(), Kept()
    Loop(Counting(), cadence(save=every), whole).run()
    with pytest.raises(Killed):
        Loop(Counting(during=kill), cadence(save=every), broken).run()
    assert Loop(Counting(), cadence(save=every), broken).run().steps == 10
    assert broken.history() == whole.history()


def test_a_finished_run_that_is_extended_goes_on_as_if_it_had_been_long() -> None:
    extended, long = Kept(), Kept()
    for steps in (5, 10):
        Loop(Counting(), cadence(steps), extended).run()
    Loop(Counting(), cadence(10), long).run()
    assert extended.history() == long.history()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end_and_leaves_a_checkpoint_of_it(number: signal.Signals) -> None:
    before, within = signal.getsignal(number), []

    def interrupt(now: int) -> None:
        if now == 5:
            signal.raise_signal(number)
            within.append(signal.getsignal(number))

    record = Kept()
    with pytest.raises(Interrupted) as interrupted, interruptible():
        Loop(Counting(during=interrupt), cadence(), record).run()
    assert interrupted.value.signal_number == number
    assert saved(record) == [5]
    assert within == [signal.SIG_DFL], "a second signal ends the process at once"
    assert signal.getsignal(number) == before
    assert Loop(Counting(), cadence(), record).run().steps == 10
    assert written(record, "train", "loss") == {4: 2.5, 8: 6.5, 10: 9.5}


class Diverging(Counting):
    """Loses a quantity of copy 1 at step 6, or at its evaluation after it."""

    def __init__(self, bad: float, where: str) -> None:
        super().__init__(copies=2)
        self._bad, self._where = bad, where

    def step(self) -> Mapping[str, Tensor]:
        loss = super().step()["loss"]
        return {"loss": torch.where(loss == 12, self._bad, loss) if self._where == "step" else loss}

    def evaluate(self, step: int) -> Mapping[str, Any]:
        reading = self._bad if self._where == "evaluation" and step == 6 else 1.0
        return {"mi": 1.0, "mi_replicates": [1.0, reading]}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("save", [1, 7, 100])
@pytest.mark.parametrize(("where", "quantity"), [("step", "loss"), ("evaluation", "mi_replicates")])
def test_a_quantity_that_is_not_finite_ends_the_run_and_is_written_nowhere(
    bad: float, save: int, where: str, quantity: str
) -> None:
    record = Kept()
    with pytest.raises(RunFailed, match=rf"^{quantity} .*at step 6 .*try a lower optimizer.lr"):
        Loop(Diverging(bad, where), cadence(log=8, save=save), record).run()
    assert all(
        abs(value) < float("inf")
        for line in record.history()
        for value in line.values()
        if isinstance(value, float)
    )
    assert all(step <= 5 for step in saved(record))


@pytest.mark.parametrize(
    "name", ["steps", "log_every", "eval_every", "checkpoint_every", "checkpoint_seconds"]
)
@pytest.mark.parametrize("value", [0, -1])
def test_a_cadence_must_be_positive(name: str, value: int) -> None:
    settings = {
        "steps": 1,
        "log_every": 1,
        "eval_every": 1,
        "checkpoint_every": 1,
        "checkpoint_seconds": None,
    }
    with pytest.raises(ValueError, match=rf"^{name} must be .*got {value}"):
        Cadence(**{**settings, name: value})


@pytest.mark.parametrize(
    "own", [signal.default_int_handler, signal.SIG_IGN, lambda number, frame: None]
)
def test_a_caller_from_python_keeps_its_own_handlers(own: Any) -> None:
    before, within = signal.signal(signal.SIGINT, own), []
    try:
        Loop(
            Counting(during=lambda now: within.append(signal.getsignal(signal.SIGINT))),
            cadence(),
            Kept(),
        ).run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(within) == {own}
