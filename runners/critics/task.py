"""The task of training R critics at once, which are read on held-out pairs."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Literal

import torch
from torch import Tensor, nn

from infobound.estimators.base import Bound, Estimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.runners.critics import evaluation
from infobound.runners.critics.feeds import Feed
from infobound.runners.critics.reading import CriticReader
from infobound.runners.runs.metrics import Quantity
from infobound.runners.runs.written import State, Written
from infobound.runners.training.early_stopping import EarlyStopping
from infobound.runners.training.readings import Reading
from infobound.runners.training.settings import Execution, Optimisation
from infobound.runners.training.task import Kept, Stateful, Task

WORSE = 2.0
"""Number of standard errors below 0 from which a lower bound is clearly negative."""


class Facts:
    """The facts about a training that another run needs to read rows with its critics."""

    def __init__(self, values: Written) -> None:
        self._values = values

    def state(self) -> State:
        return dict(self._values)

    def load(self, state: State) -> None: ...


class CriticTraining(Task):
    """Trains critics on the batches of `feed`; with early stopping, each critic is read at its
    best.

    With `folds` the copies are the folds of one table. They minimise `loss` of a batch's bound, by
    default its fit. `truth` is the mutual information of the pairs, if it is known, and `completed`
    adds to the final reading what else is known about its rows.
    """

    def __init__(
        self,
        feed: Feed,
        critic: Critics,
        estimator: Estimator,
        optimisation: Optimisation,
        execution: Execution,
        *,
        stop_early: bool,
        patience: int | None,
        folds: int | None,
        loss: Callable[[Bound], Tensor] = attrgetter("fit"),
        truth: float | None = None,
        completed: Callable[[Reading], Reading] | None = None,
    ) -> None:
        self._loss, self._truth, self._completed = loss, truth, completed
        self._more_steps_help = (
            not optimisation.cosine
        )  # with cosine, the last steps are the smallest
        self._feed, self._estimator = feed, estimator
        self._ensemble = execution.ensemble(
            lambda index: Measurement.of(critic, estimator, *feed.batches.look(index)),
            replicates=folds or execution.replicates,
            average=optimisation.average,
        )
        x, y = feed.zeros
        for rows in sorted({x.shape[1], min(x.shape[1], feed.held_out.least)}):
            self._ensemble.check(x[:, :rows], y[:, :rows])
        self.critics = optimisation.player(self._ensemble)
        stop_early = stop_early and self._ensemble.parameters.numel() > 0
        self._stopping = EarlyStopping(self._ensemble.weights(), patience) if stop_early else None
        copies: Literal["folds", "replicates"] = "folds" if folds is not None else "replicates"
        self._current = CriticReader(self._ensemble, feed.held_out, estimator.kind, copies)
        self._best = self._current
        if self._stopping:
            self._best = dataclasses.replace(self._current, weights=self._stopping.best)
        self._evaluated = Kept(step=0)
        self._reading: Reading | None = None
        facts = {
            "dims": [rows.shape[-1] for rows in feed.zeros],
            "changes": [[change._asdict() for change in pair] for pair in feed.changes],
        }
        parts: dict[str, Stateful] = {"critics": self.critics, "batches": feed.batches}
        parts |= {"evaluated": self._evaluated, "facts": Facts(facts)}
        self.parts = parts | ({"stopping": self._stopping} if self._stopping else {})
        self.read_again = ["critics"]

    def step(self) -> dict[str, Tensor]:
        self.critics.schedule.set(self._ensemble.steps)
        bound: Bound = self._ensemble(*self._feed.batches.draw())
        loss = self._loss(bound)
        self._ensemble.descend(loss, self.critics.optimizer)
        return {"loss": loss.detach(), "mi": bound.value}

    def evaluate(self, step: int) -> dict[str, Quantity]:
        self._evaluated["step"] = step
        if self._stopping is None:
            return {"mi": Quantity(self._current.values("validation", step), unit="nats")}
        weights = self._ensemble.weights()
        if self._estimator.kind == "lower bound":
            best = self._current.values("validation", step, evaluation.calibrated)
            values, scales = map(list, zip(*best, strict=True))
            weights["scale"] = torch.tensor(scales).to(weights["scale"].device)
            self._stopping.see(values, weights)
        else:
            values = self._current.values("validation", step)
            told = self._current.values("validation", step, evaluation.negative_fit)
            self._stopping.see(told, weights)
        return {"mi": Quantity(values, unit="nats")}

    @property
    def finished(self) -> bool:
        """Whether every copy has stopped early, or the critic has no parameters to train."""
        untrainable = self._ensemble.parameters.numel() == 0
        return untrainable or (self._stopping is not None and self._stopping.done)

    @property
    def constants(self) -> dict[str, float | None]:
        return {"mi/true": self._truth, "mi/cap": self.cap}

    @property
    def cap(self) -> float | None:
        """The largest value in nats that a training batch can read, None if there is no limit."""
        return self._estimator.cap(self.training_negatives)

    def critic(self, index: int) -> nn.Module:
        """Copy `index` with its current weights."""
        return self._current.measurement(index).critic.eval()

    @property
    def training_negatives(self) -> int:
        """The number of product samples a row in a training batch, K."""
        x, y = self._feed.zeros
        module = self._ensemble.copy(0).eval()
        if not isinstance(module, Measurement):
            raise TypeError(f"the copies must be measurements, got {type(module).__name__}")
        with torch.no_grad():
            return module.scores(x[0], y[0]).product.shape[-1]

    def read(self, step: int) -> Written:
        """Read every copy once on the test pairs, at its best if it stops early.

        Raises RunFailed if a reading is not finite.
        """
        return self.reading(step).metrics(self._truth)

    def reading(self, step: int) -> Reading:
        """The test reading, computed once, with more than its metrics."""
        if self._reading is None:
            reading = self._read(step)
            if self._stopping is not None:
                reading = dataclasses.replace(
                    reading,
                    warnings=[*reading.warnings, *self._untimely(self._stopping, reading)],
                    beside={"mi_training": statistics.fmean(self._best.values("train", step))},
                )
            self._reading = reading if self._completed is None else self._completed(reading)
        return self._reading

    def _read(self, step: int) -> Reading:
        """The test reading of the copies at their best. A bound that is clearly negative is worse
        than that of a critic that knows nothing, which is read instead.
        """
        reading, stopping = self._best.read(step), self._stopping
        if stopping is None or reading.kind != "lower bound":
            return reading
        if reading.mean >= -WORSE * reading.error.value:
            return reading
        scales = stopping.best["scale"].clone()
        stopping.best["scale"].zero_()
        nothing = self._best.read(step)
        if nothing.mean > reading.mean:
            return nothing
        stopping.best["scale"].copy_(scales)
        return reading

    def _untimely(self, stopping: EarlyStopping, reading: Reading) -> list[str]:
        """Warnings if the best reading is at the start or the end of the training."""
        copies, warnings = self._ensemble.replicates, list[str]()
        if stopping.first and reading.mean < 2 * reading.error.value:
            warnings.append(
                f"{stopping.first} of {copies} critics read the validation rows best before the"
                " first step, so training found no information: x and y may be independent;"
                " otherwise lower optimizer.lr or runner.eval_every"
            )
        if stopping.last and self._more_steps_help:
            warnings.append(
                f"training still improved {stopping.last} of {copies} critics at the last"
                " evaluation, so the estimate may be low; raise runner.steps"
            )
        return warnings

    @property
    def rows(self) -> Mapping[str, Mapping[str, Tensor]]:
        """The pointwise mutual information of the test rows of a table."""
        pointwise = self._reading.pointwise if self._reading else None
        return {} if pointwise is None else {"pointwise": pointwise}

    @property
    def reader(self) -> CriticReader:
        """The reader of the copies, at their best if they stop early."""
        return self._best
