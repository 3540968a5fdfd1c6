"""The training loop of all runners: cadence, progress, records, held-out evaluation, checkpoints,
resuming, signals and checks for finite values.

R copies.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from infobound.runners.runs.checkpoint import fitting
from infobound.runners.runs.errors import Interrupted, RunFailed
from infobound.runners.runs.metrics import Metrics, Quantity, line
from infobound.runners.runs.progress import Progress
from infobound.runners.runs.records import Record
from infobound.runners.runs.signals import Deferred
from infobound.runners.runs.waiting import Waiting
from infobound.runners.training.settings import Cadence
from infobound.runners.training.task import Task

SHOWN = 8
"""Number of an evaluation's first quantities that are shown with the progress."""
Window = list[Mapping[str, Tensor]]
REMEDY = (
    "try a lower optimizer.lr or a larger runner.batch_size; the gradients of infonce and js are"
    " bounded"
)


class Loop:
    """Trains a task for `steps` steps, starting from the checkpoint of `record` if there is one.

    `draw` is called with the number of steps after each evaluation except the last.
    """

    def __init__(
        self,
        task: Task,
        steps: int,
        cadence: Cadence,
        record: Record,
        draw: Callable[[int], None] = lambda step: None,
    ) -> None:
        self._task, self._cadence, self._record, self._draw = task, cadence, record, draw
        self._steps, self._eval_every = steps, cadence.eval_every or steps
        self._step, self._saved_step, self._seconds = 0, 0, 0.0
        self._merit = task.merit if cadence.keep == "best" else None
        self._best = -math.inf
        self._window: Window = []

    def run(self) -> "Trained":
        """Train to the end and write a checkpoint.

        Raises Interrupted after a signal, and RunFailed if a quantity becomes infinite or NaN.
        """
        self._restore()
        if self._step == 0:
            self._evaluate()
        self.advance(self._steps - self._step)
        if self._saved_step < self._step:
            self._save()
        self._log()
        if self._step % self._eval_every:
            self._evaluate()
        return Trained(self._step, self._seconds)

    def advance(self, steps: int) -> None:
        """Do up to `steps` more steps with everything that is due; fewer if the task finishes."""
        cadence, task, signals = self._cadence, self._task, Deferred()
        end, begun, before = self._step + steps, time.monotonic(), self._seconds
        saved_at = begun
        with signals.noting(), Progress(self._step, end) as progress:
            while self._step < end and not task.finished:
                self._window.append(task.step())
                self._step += 1
                progress.advance()
                progress.show(self._step, "")
                if self._step % cadence.log_every == 0:
                    self._log()
                if self._step % self._eval_every == 0:
                    progress.show(self._step, self._shown(found := self._evaluate()))
                    self._keep(found)
                    if not (self._step == self._steps or task.finished):
                        self._draw(self._step)
                now = time.monotonic()
                self._seconds = before + now - begun
                overdue = (
                    cadence.checkpoint_seconds is not None
                    and now - saved_at >= cadence.checkpoint_seconds
                )
                if self._step % cadence.checkpoint_every == 0 or overdue or signals.received:
                    self._save()
                    saved_at = now
                if signals.received:
                    raise Interrupted(signals.received)

    def _log(self) -> None:
        """Record the mean of each quantity over the steps since the last record."""
        if self._window:
            self._record.write(
                self._step,
                "train",
                {name: values.mean().item() for name, values in self._finite().items()},
            )
            self._window.clear()

    def _evaluate(self) -> Metrics:
        with Waiting(f"reading the validation data at step {self._step}"):
            found = self._task.evaluate(self._step)
        quantities = {name: each for name, each in found.items() if isinstance(each, Quantity)}
        for name, each in quantities.items():
            if not all(map(math.isfinite, each.copies)):
                raise RunFailed(
                    f"{name} of the validation pairs is not finite at step {self._step}"
                    f" ({[*each.copies]}); {REMEDY}"
                )
        if found:
            self._record.write(self._step, "validation", line(found))
        if (samples := self._task.samples()) is not None:
            self._record.samples(self._step, samples)
        return found

    def _shown(self, found: Metrics) -> str:
        quantities = {name: each for name, each in found.items() if isinstance(each, Quantity)}
        shown = [f"{name} {each.value:.3f}" for name, each in quantities.items()]
        return "  ".join(shown[:SHOWN])

    def _keep(self, found: Metrics) -> None:
        """Keep the weights if this evaluation is the best so far and best weights are kept."""
        merit = None if self._merit is None else self._merit(found)
        if merit is not None and merit > self._best:
            self._best = merit
            self._record.save_best({"step": self._step, "task": self._task.state()})

    def _finite(self) -> dict[str, Tensor]:
        """The quantities of the steps since the last record, (steps, R) each, after a finite
        check.
        """
        if not self._window:
            return {}
        devices = {name: values.device for name, values in self._window[-1].items()}
        stacked = {
            name: torch.stack([each[name].to(device).view(-1) for each in self._window])
            for name, device in devices.items()
        }
        for name, values in stacked.items():
            bad = ~values.isfinite().all(dim=1)
            if bad.any():
                index = int(bad.nonzero()[0])
                step = self._step - len(self._window) + index + 1
                raise RunFailed(
                    f"{name} stopped being finite at step {step} ({values[index].tolist()});"
                    f" {REMEDY}"
                )
        return stacked

    def _save(self) -> None:
        window = self._finite()
        self._saved_step = self._step
        self._record.save(
            {
                "step": self._step,
                "seconds": self._seconds,
                "window": window,
                "best": self._best,
                "task": self._task.state(),
            }
        )

    def _restore(self) -> None:
        state = self._record.restore()
        if state is None:
            return
        with fitting(Path("checkpoint.pt")):
            self._step = self._saved_step = state["step"]
            self._seconds, self._best = state["seconds"], state["best"]
            self._window = _steps_of(state["window"])
            self._task.load(state["task"])


def _steps_of(window: Mapping[str, object]) -> Window:
    """The quantities of each step from those of all steps, (steps, R) by name.

    Raises ValueError if they are something else.
    """
    columns = {
        name: values
        for name, values in window.items()
        if isinstance(values, Tensor) and values.dim() == 2 and values.is_floating_point()
    }
    lengths = {len(values) for values in columns.values()}
    if len(columns) < len(window) or len(lengths) > 1:
        raise ValueError("window must hold the quantities of the last steps")
    steps = range(lengths.pop() if lengths else 0)
    return [{name: values[step] for name, values in columns.items()} for step in steps]


@dataclass(frozen=True)
class Trained:
    """The steps and the time of a finished training."""

    steps: int
    seconds: float
