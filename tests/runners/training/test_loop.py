"""The loop's cadence, windows, checkpoints, signals and finite check, on a task that counts its
steps.
"""

import copy
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.optim import Adam

from infobound.runners.runs.errors import Interrupted, RunFailed
from infobound.runners.runs.metrics import Quantity
from infobound.runners.runs.records import InMemory, Record
from infobound.runners.runs.signals import interruptible
from infobound.runners.runs.written import Written
from infobound.runners.training.loop import Loop
from infobound.runners.training.runner import Runner
from infobound.runners.training.settings import Cadence
from infobound.runners.training.task import Kept, Task
from tests.settings import TRAINING, flat


class Counting(Task):
    """A task whose loss is the number of its step, times r + 1 in copy r."""

    def __init__(
        self,
        *,
        copies: int = 1,
        last: int | None = None,
        during: Callable[[int], None] | None = None,
    ) -> None:
        self._count, self._last, self._during = Kept(steps=0), last, during
        self.parts = {"count": self._count}
        self._factors = torch.arange(1.0, copies + 1)

    def step(self) -> Mapping[str, Tensor]:
        self._count["steps"] += 1
        if self._during:
            self._during(self._count["steps"])
        return {"loss": self._count["steps"] * self._factors}

    def evaluate(self, step: int) -> dict[str, Quantity]:
        assert step == self._count["steps"]
        return {"mi": Quantity([float(step)])}

    def read(self, step: int) -> dict[str, Quantity]:
        return self.evaluate(step)

    @property
    def finished(self) -> bool:
        return self._count["steps"] == self._last


class Keeping:
    """A record in memory that also keeps checkpoints, and returns to the last one like a run's
    directory.
    """

    def __init__(self) -> None:
        self.checkpoints: list[dict[str, Any]] = []
        self._memory = InMemory()
        self.write, self.history = self._memory.write, self._memory.history
        self.constants, self.figure = self._memory.constants, self._memory.figure
        self.rows, self.samples = self._memory.rows, self._memory.samples
        self.arrays, self.save_best = self._memory.arrays, self._memory.save_best

    def save(self, state: dict[str, Any]) -> None:
        self.checkpoints.append(copy.deepcopy({**state, "lines": len(self.history())}))

    def restore(self) -> dict[str, Any] | None:
        del self.history()[self.checkpoints[-1]["lines"] if self.checkpoints else 0 :]
        return self.checkpoints[-1] if self.checkpoints else None


def loop(
    task: Task,
    record: Keeping,
    draw: Callable[[int], None] = lambda step: None,
    *,
    steps: int = 10,
    log: int = 4,
    evaluate: int | None = 3,
    save: int = 100,
    seconds: float | None = None,
) -> Loop:
    pace = Cadence(
        log_every=log, eval_every=evaluate, checkpoint_every=save, checkpoint_seconds=seconds
    )
    return Loop(task, steps, pace, record, draw)


def written(record: Keeping, split: str, name: str) -> dict[int, float]:
    return {line["step"]: line[name] for line in record.history() if line["split"] == split}


def saved(record: Keeping) -> list[int]:
    return [state["step"] for state in record.checkpoints]


def test_a_train_line_is_the_mean_since_the_last_one_and_none_is_left_over() -> None:
    record = Keeping()
    loop(Counting(), record).run()
    assert written(record, "train", "loss") == {4: 2.5, 8: 6.5, 10: 9.5}


def test_a_train_line_is_the_mean_over_the_copies() -> None:
    record = Keeping()
    loop(Counting(copies=3), record, steps=1).run()
    assert written(record, "train", "loss") == {1: 2.0}


@pytest.mark.parametrize(
    ("steps", "evaluated"), [(10, [0, 3, 6, 9, 10]), (9, [0, 3, 6, 9]), (2, [0, 2])]
)
def test_evaluations_come_at_both_ends_and_with_their_cadence_between(
    steps: int, evaluated: list[int]
) -> None:
    record = Keeping()
    loop(Counting(), record, steps=steps).run()
    assert list(written(record, "validation", "mi")) == evaluated


@dataclass(frozen=True, kw_only=True)
class Drawing(Runner[Counting]):
    """A runner that draws its number of steps."""

    last: int | None
    drawn: list[int]

    def task(self) -> Counting:
        return Counting(last=self.last)

    @property
    def score(self) -> str:
        return "mi"

    def sentence(self, metrics: Written) -> str:
        return ""

    def figures(self, task: Counting, record: Record, step: int) -> Iterable[tuple[str, Figure]]:
        self.drawn.append(step)
        return ()


@pytest.mark.parametrize(
    ("last", "drawn"), [(None, [1, 4, 16, 64, 256]), (16, [1, 4, 16]), (20, [1, 4, 16, 20])]
)
def test_pictures_become_rarer_and_include_the_last_step(
    last: int | None, drawn: list[int]
) -> None:
    settings = {"steps": 256, "batch_size": 2, "eval_every": 1, "log_every": 1, "optimizer": Adam}
    runner = flat(Drawing, {**TRAINING, **settings, "last": last, "drawn": []})
    runner.prepare()(Keeping())
    assert runner.drawn == drawn


@pytest.mark.parametrize(("every", "steps"), [(100, [10]), (4, [4, 8, 10]), (5, [5, 10])])
def test_checkpoints_come_with_their_cadence_and_once_at_the_end(
    every: int, steps: list[int]
) -> None:
    record = Keeping()
    loop(Counting(), record, save=every).run()
    assert saved(record) == steps


def test_checkpoints_also_follow_the_clock() -> None:
    record = Keeping()
    loop(Counting(), record, steps=3, seconds=1e-9).run()
    assert saved(record) == [1, 2, 3]


def test_a_task_that_has_finished_is_not_stepped_again() -> None:
    record = Keeping()
    assert loop(Counting(last=5), record).run().steps == 5
    assert list(written(record, "train", "loss")) == [4, 5]
    assert saved(record) == [5]


class Killed(BaseException):
    """Ends a run like a kill: nothing catches it."""


@pytest.mark.parametrize("step", range(1, 11))
@pytest.mark.parametrize("every", [1, 3, 4])
def test_a_run_killed_at_any_step_resumes_exactly(step: int, every: int) -> None:
    def kill(now: int) -> None:
        if now == step:
            raise Killed

    whole, broken = Keeping(), Keeping()
    loop(Counting(), whole, save=every).run()
    with pytest.raises(Killed):
        loop(Counting(during=kill), broken, save=every).run()
    assert loop(Counting(), broken, save=every).run().steps == 10
    assert broken.history() == whole.history()


def test_an_extended_run_equals_a_longer_run() -> None:
    extended, long = Keeping(), Keeping()
    for steps in (5, 10):
        loop(Counting(), extended, steps=steps).run()
    loop(Counting(), long, steps=10).run()
    assert extended.history() == long.history()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end_and_leaves_a_checkpoint_of_it(number: signal.Signals) -> None:
    before, within = signal.getsignal(number), []

    def interrupt(now: int) -> None:
        if now == 5:
            signal.raise_signal(number)
            within.append(signal.getsignal(number))

    record = Keeping()
    with pytest.raises(Interrupted) as interrupted, interruptible():
        loop(Counting(during=interrupt), record).run()
    assert interrupted.value.signal_number == number
    assert saved(record) == [5]
    assert within == [signal.SIG_DFL], "a second signal ends the process at once"
    assert signal.getsignal(number) == before
    assert loop(Counting(), record).run().steps == 10
    assert written(record, "train", "loss") == {4: 2.5, 8: 6.5, 10: 9.5}


class Diverging(Counting):
    """A quantity of copy 1 becomes NaN at step 6, or at the evaluation after it."""

    def __init__(self, bad: float, where: str) -> None:
        super().__init__(copies=2)
        self._bad, self._where = bad, where

    def step(self) -> Mapping[str, Tensor]:
        loss = super().step()["loss"]
        return {"loss": torch.where(loss == 12, self._bad, loss) if self._where == "step" else loss}

    def evaluate(self, step: int) -> dict[str, Quantity]:
        reading = self._bad if self._where == "evaluation" and step == 6 else 1.0
        return {"mi": Quantity([1.0, reading])}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("save", [1, 7, 100])
@pytest.mark.parametrize(("where", "quantity"), [("step", "loss"), ("evaluation", "mi")])
def test_a_quantity_that_is_not_finite_ends_the_run_and_is_written_nowhere(
    bad: float, save: int, where: str, quantity: str
) -> None:
    record = Keeping()
    with pytest.raises(RunFailed, match=rf"^{quantity} .*at step 6 .*try a lower optimizer.lr"):
        loop(Diverging(bad, where), record, log=8, save=save).run()
    assert all(
        abs(value) < float("inf")
        for line in record.history()
        for value in line.values()
        if isinstance(value, float)
    )
    assert all(step <= 5 for step in saved(record))


@pytest.mark.parametrize(
    "name", ["log_every", "eval_every", "checkpoint_every", "checkpoint_seconds"]
)
@pytest.mark.parametrize("value", [0, -1])
def test_a_cadence_must_be_positive(name: str, value: int) -> None:
    settings = {
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
        noting = Counting(during=lambda now: within.append(signal.getsignal(signal.SIGINT)))
        loop(noting, Keeping()).run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(within) == {own}
