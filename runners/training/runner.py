"""The base of all runners that train: train, read once, write, draw, and return the outcome."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from infobound.errors import SettingError
from infobound.runners.runs import metrics as written
from infobound.runners.runs.metrics import Metrics, Quantity
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.waiting import Waiting
from infobound.runners.runs.written import Written
from infobound.runners.training.loop import Loop
from infobound.runners.training.settings import Cadence, Execution, Optimisation
from infobound.runners.training.taking_over import Start
from infobound.runners.training.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T", bound=Task)


@dataclass(frozen=True, kw_only=True)
class Runner(ABC, Generic[T]):
    """Trains a task and reads it once. A runner defines its task, its score, its sentence and its
    figures.

    Raises ValueError if a setting is wrong.
    """

    optimisation: Optimisation
    cadence: Cadence
    execution: Execution
    start: Start = field(default_factory=Start)

    @property
    def steps(self) -> int:
        """The number of training steps.

        Raises ValueError if it is not set.
        """
        if self.optimisation.steps is None:
            raise SettingError(
                "steps", "must be a positive integer", "null", "give runner.steps=..."
            )
        return self.optimisation.steps

    @property
    def pace(self) -> Cadence:
        """The cadence of the training."""
        return self.cadence

    @abstractmethod
    def task(self) -> T:
        """The task before the first step, after trying its networks on a batch.

        Raises ValueError or OSError if settings or data are wrong.
        """

    @property
    @abstractmethod
    def score(self) -> str:
        """The metric that a sweep may optimise."""

    @abstractmethod
    def sentence(self, metrics: Written) -> str:
        """The result in a sentence, from the metrics of result.json."""

    def figures(self, task: T, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        """Figures by name after `step` steps."""
        return ()

    def draws_after(self, evaluations: int) -> bool:
        """Whether to draw figures after this many evaluations: the 1st, 4th, 16th, ..., because a
        figure takes a tenth of a second.
        """
        return (math.log2(evaluations) / 2).is_integer()

    def last_figures(self, task: T, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        """Figures of the test reading, drawn once."""
        return ()

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build everything, so that errors are found before anything is written."""
        _ = self.steps
        with Waiting("preparing data and networks"):
            task, earlier = self.checked(), self.earlier
        if earlier is None:
            return partial(self.run, task)
        with earlier.fitting():
            task.take_over(earlier)
        return partial(self.run if self.start.trains else partial(self.again, earlier.step), task)

    @cached_property
    def earlier(self) -> TrainedRun | None:
        """The loaded run.

        Raises ValueError if there is no such run.
        """
        return None if self.start.load is None else TrainedRun.open(Path(self.start.load))

    def checked(self) -> T:
        """The task, after checking that it can keep its best weights if it has to.

        Raises ValueError or OSError if settings or data are wrong.
        """
        task = self.task()
        if self.cadence.keep == "best" and task.merit is None:
            raise SettingError(
                "keep", "must be last without validation readings, which choose the best", "best"
            )
        return task

    def again(self, step: int, task: T, record: Record) -> Outcome:
        """Read the networks of an earlier run again, and write and draw everything."""
        record.constants(task.constants)
        if (data := task.data) is not None:
            record.samples(None, data)
        if (samples := task.samples()) is not None:
            record.samples(0, samples)
        with Waiting("reading the test data"):
            metrics = task.read(step)
        return self.told(task, metrics, record)

    def run(self, task: T, record: Record) -> Outcome:
        """Train the task from the record's checkpoint, read it once, and write and draw everything.

        Raises Interrupted after a signal, and RunFailed if a quantity becomes infinite or NaN.
        """
        record.constants(task.constants)
        if (data := task.data) is not None:
            record.samples(None, data)

        def draw(step: int) -> None:
            if not self.draws_after(step // (self.pace.eval_every or self.steps)):
                return
            for name, figure in self.figures(task, record, step):
                record.figure(name, figure, step)

        trained = Loop(task, self.steps, self.pace, record, draw).run()
        with Waiting("reading the test data"):
            metrics = task.read(trained.steps)
        return self.told(task, metrics, record, trained.steps, trained.seconds)

    def told(
        self, task: T, metrics: Metrics, record: Record, steps: int = 0, seconds: float = 0.0
    ) -> Outcome:
        """The outcome of a reading, after writing and drawing it."""
        record.write(steps, "test", written.tested(metrics))
        for name, columns in task.rows.items():
            record.rows(name, columns, text=not self.start.trains)
        for name, arrays in task.arrays.items():
            record.arrays(name, arrays)
        drawn = [*self.figures(task, record, steps), *self.last_figures(task, record, steps)]
        for name, figure in drawn:
            record.figure(name, figure, steps)
        scored = metrics[self.score]
        score = scored.value if isinstance(scored, Quantity) else scored
        if not isinstance(score, int | float | None):
            raise TypeError(f"the score {self.score} must be a number or None, got {score!r}")
        result = written.result(metrics)
        units = written.units(metrics)
        return Outcome(result, score, self.sentence(result), units, steps, seconds)
