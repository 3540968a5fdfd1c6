"""The one way to run a training: train, read once, write, draw, and return the outcome."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from infobound.errors import SettingError
from infobound.runners.runs import metrics as written
from infobound.runners.runs.metrics import Metrics, Quantity
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.runs.trained_runs import TrainedRun
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
    """Trains a task and reads it once. A runner says what its task, its score, its sentence and its
    figures are.

    Raises ValueError for whatever is wrong with the settings.
    """

    optimisation: Optimisation
    cadence: Cadence
    execution: Execution
    start: Start = field(default_factory=Start)

    @property
    def steps(self) -> int:
        """How long the training is.

        Raises ValueError where nothing says so.
        """
        if self.optimisation.steps is None:
            raise SettingError(
                "steps", "must be a positive integer", "null", "give runner.steps=..."
            )
        return self.optimisation.steps

    @property
    def pace(self) -> Cadence:
        """What is due when."""
        return self.cadence

    @abstractmethod
    def task(self) -> T:
        """The task before the first step, with its networks tried on a batch.

        Raises ValueError or OSError for whatever is wrong with the settings or the data.
        """

    @property
    @abstractmethod
    def score(self) -> str:
        """The metric that a sweep may optimise."""

    @abstractmethod
    def sentence(self, metrics: Written) -> str:
        """The result as a person reads it; `metrics` as result.json has them."""

    def figures(self, task: T, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        """Figures by name of what is known after `step` steps."""
        return ()

    def draws_after(self, evaluations: int) -> bool:
        """Whether figures are drawn after so many evaluations: the 1st, 4th, 16th, ..., because a
        figure takes a tenth of a second.
        """
        return (math.log2(evaluations) / 2).is_integer()

    def last_figures(self, task: T, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        """Figures of the test reading, which are drawn once."""
        return ()

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build everything, so that what is wrong is refused before anything is written."""
        _ = self.steps
        earlier = None if self.start.load is None else TrainedRun.open(Path(self.start.load))
        task = self.checked()
        if earlier is None:
            return partial(self.run, task)
        task.take_over(earlier)
        return partial(self.run if self.start.trains else partial(self.again, earlier.step), task)

    def checked(self) -> T:
        """The task, which can say what it is to keep.

        Raises ValueError or OSError for whatever is wrong with the settings or the data.
        """
        task = self.task()
        if self.cadence.keep == "best" and task.merit is None:
            raise SettingError(
                "keep", "must be last where no validation reading says which are best", "best"
            )
        return task

    def again(self, step: int, task: T, record: Record) -> Outcome:
        """Read what an earlier run has trained for so many steps, and write and draw all of it."""
        record.constants(task.constants)
        if (data := task.data) is not None:
            record.samples(None, data)
        if (samples := task.samples()) is not None:
            record.samples(0, samples)
        return self.told(task, task.read(step), record)

    def run(self, task: T, record: Record) -> Outcome:
        """Train the task from the record's checkpoint, read it once, and write and draw all of it.

        Raises Interrupted after a signal, and RunFailed if a quantity stops being finite.
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
        return self.told(task, task.read(trained.steps), record, trained.steps, trained.seconds)

    def told(
        self, task: T, metrics: Metrics, record: Record, steps: int = 0, seconds: float = 0.0
    ) -> Outcome:
        """The outcome of a reading, after all of it is written and drawn."""
        record.write(steps, "test", written.tested(metrics))
        for name, columns in task.rows.items():
            record.rows(name, columns)
        drawn = [*self.figures(task, record, steps), *self.last_figures(task, record, steps)]
        for name, figure in drawn:
            record.figure(name, figure, steps)
        scored = metrics[self.score]
        score = scored.value if isinstance(scored, Quantity) else scored
        if not isinstance(score, int | float):
            raise TypeError(f"the score {self.score} must be a number, got {score!r}")
        result = written.result(metrics)
        units = written.units(metrics)
        return Outcome(result, score, self.sentence(result), units, steps, seconds)
