"""Estimate mutual information: train a critic on pairs, read it on pairs that it never saw."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from infobound.datasets.interfaces import Joint, Rows
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.runners.critics import feeds
from infobound.runners.critics.task import CriticTraining
from infobound.runners.critics.trained_critics import TrainedCritics
from infobound.runners.estimate.beside import beside
from infobound.runners.runs import plots
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training import limits
from infobound.runners.training.devices import device_named
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.loop import Cadence, Loop
from infobound.runners.training.permutation import Permuted, of_rows
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import Error, Reading, sentence, spread
from infobound.runners.training.schedule import Schedule
from infobound.runners.training.settings import Training


class Measured(NamedTuple):
    """An estimate, and what more can be asked of it."""

    reading: Reading
    outcome: Outcome
    permuted: Callable[[int], list[Permuted]]
    """The statistic of every copy, as it is and for that many permutations of its test rows."""


@dataclass(frozen=True, kw_only=True)
class Estimate(Training):
    """Trains `replicates` critics on pairs of `dataset` and reads each once on held-out pairs.

    A data set that can be sampled is read on `eval_batches` fresh batches of `eval_batch_size`
    pairs, and `train_rows` makes it train on that many fixed pairs. One of finite rows is read on
    its test rows, by the critic that read its validation rows best: training stops `patience`
    evaluations after that one; its folds are copies, trained at once. Critics are read with the
    moving average of their weights of decay `average`, 0 being none. The learning rate rises for
    `warmup` steps, and where `cosine` falls to zero at the last one. With `load`, the folder of a
    completed run, nothing is trained: that run's critics read all rows of the data set.
    """

    dataset: Joint | Rows
    critic: Critics | None
    estimator: Estimator | SampleEstimator
    optimizer: Callable[[list[Tensor]], Optimizer]
    steps: int
    train_rows: int | None
    average: float
    eval_every: int
    eval_batches: int
    eval_batch_size: int
    patience: int | None
    warmup: int = 0
    cosine: bool = False
    load: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.at_least(self, eval_batches=1, eval_batch_size=4)
        limits.positive_or_null(self, "train_rows", "patience")
        limits.decay(self.average)
        if not isinstance(self.dataset, Joint | Rows):
            raise ValueError(
                "dataset must be one to sample pairs from or rows to read, got"
                f" {type(self.dataset).__name__}"
            )
        if self.estimator.kind == "loss":
            raise ValueError(
                f"estimator must give nats, got {type(self.estimator).__name__}, a loss; use"
                " estimator=infonce"
            )
        if isinstance(self.estimator, Estimator) and self.critic is None:
            raise ValueError("critic must be one that gives scores, got none; use critic=separable")
        if not isinstance(self.estimator, Estimator) and self.critic is not None:
            raise ValueError(
                f"critic must be none for {type(self.estimator).__name__}, which trains nothing;"
                " use critic=none"
            )
        _ = self.cadence

    def prepare(self) -> Callable[[Record], Outcome]:
        """Read the data, build the networks and try them on a batch of zeros.

        Raises ValueError or OSError for whatever is wrong with the settings or the data.
        """
        measure = self.measuring()
        return lambda record: measure(record).outcome

    def measuring(self) -> Callable[[Record], Measured]:
        """prepare(), for those who want to know more than the outcome."""
        if not isinstance(self.estimator, Estimator):
            return self._by_sample(self.estimator)
        return (
            self._by_critic(self.estimator)
            if self.load is None
            else self._by_trained(self.load, self.estimator)
        )

    def _by_critic(self, estimator: Estimator) -> Callable[[Record], Measured]:
        cadence, task = self.cadence, self.task()

        def run(record: Record) -> Measured:
            truth = self.dataset.mutual_information
            cap = estimator.cap(task.training_negatives)
            record.constants({"mi/true": truth, "mi/cap": cap})

            def draw(step: int) -> None:
                record.figure(
                    "estimate", plots.estimate_by_step(record.history(), truth, cap), step
                )

            trained = Loop(task, cadence, record, draw).run()
            reading = task.read(trained.steps)
            outcome = self._recorded(record, reading, trained.steps, trained.seconds)
            draw(trained.steps)
            return Measured(reading, outcome, partial(task.permuted, trained.steps, self.seed))

        return run

    def _by_trained(self, path: str, estimator: Estimator) -> Callable[[Record], Measured]:
        if isinstance(self.dataset, Joint):
            raise ValueError(
                f"load reads the rows of a table, got {type(self.dataset).__name__}; use"
                " dataset=arrays"
            )
        assert self.critic is not None, "checked by the constructor"
        device = device_named(self.device)
        earlier, ensemble = TrainedCritics.load(Path(path)), self._ensemble(device)
        reader = earlier.reader(
            self.dataset, self.critic, estimator, ensemble, self.eval_batch_size, device
        )

        def run(record: Record) -> Measured:
            reading = reader.read(0)
            return Measured(
                reading, self._recorded(record, reading), partial(reader.permuted, 0, self.seed)
            )

        return run

    def _by_sample(self, estimator: SampleEstimator) -> Callable[[Record], Measured]:
        if self.load is not None:
            raise ValueError(
                f"load must be null for {type(estimator).__name__}, which trains nothing, got"
                f" {self.load}"
            )
        rows = feeds.every_row(
            self.dataset,
            size=self.train_rows or self.eval_batches * self.eval_batch_size,
            seed=self.seed,
            replicates=self.replicates,
            device=device_named(self.device),
        )
        estimates = [estimator(x, y) for x, y in rows]
        values = [each.value for each in estimates]
        own = Error(estimates[0].stderr, "test rows by influence values", len(rows[0][0]) - 1)
        reading = Reading(values, spread(values) if len(values) > 1 else own, estimator.kind)

        def run(record: Record) -> Measured:
            return Measured(reading, self._recorded(record, reading), permuted)

        def permuted(permutations: int) -> list[Permuted]:
            sources = [
                generator(torch.device("cpu"), self.seed, copy, "permutation")
                for copy in range(len(rows))
            ]
            return [
                of_rows(estimator, *each, permutations, source)
                for each, source in zip(rows, sources, strict=True)
            ]

        return run

    def _recorded(
        self, record: Record, reading: Reading, steps: int = 0, seconds: float = 0.0
    ) -> Outcome:
        """The outcome of a reading, after whatever of it has a file of its own is written."""
        metrics = reading.metrics(self.dataset.mutual_information) | self._beside()
        record.write(steps, "test", {name: metrics[name] for name in ("mi", "mi_stderr")})
        if reading.pointwise is not None:
            record.rows("pointwise", reading.pointwise)
        return Outcome(metrics, reading.mean, sentence(metrics), steps, seconds)

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return self.paced(self.steps, self.eval_every)

    def task(self) -> CriticTraining:
        """The critics with their data, before the first step.

        Raises ValueError or OSError for whatever is wrong with the settings or the data.
        """
        if self.critic is None or not isinstance(self.estimator, Estimator):
            raise TypeError("an estimator without a critic has nothing to train")
        device = device_named(self.device)
        return CriticTraining(
            self._feed(device),
            self.critic,
            self.estimator,
            self.optimizer,
            stop_early=not isinstance(self.dataset, Joint),
            patience=self.patience,
            schedule=partial(Schedule, warmup=self.warmup, end=self.steps if self.cosine else None),
            folds=self._folds is not None,
            ensemble=partial(self._ensemble(device), replicates=self._folds or self.replicates),
        )

    def _ensemble(self, device: torch.device) -> Callable[..., Ensemble]:
        shared: Any = {
            "seed": self.seed,
            "device": device,
            "precision": self.precision,
            "compiled": self.compile,
        }
        return partial(Ensemble, average=self.average, **shared)

    @property
    def _folds(self) -> int | None:
        return None if isinstance(self.dataset, Joint) else self.dataset.folds

    def _beside(self) -> dict[str, float | None]:
        """What costs little to say of a finite table beside the estimate."""
        if isinstance(self.dataset, Joint) or self.critic is None:
            return {}
        [(x, y)] = feeds.every_row(
            self.dataset, size=0, seed=self.seed, replicates=1, device=torch.device("cpu")
        )
        return beside(x, y, self.seed)

    def _feed(self, device: torch.device) -> feeds.Feed:
        shared: Any = {
            "batch_size": self.batch_size,
            "eval_batch_size": self.eval_batch_size,
            "seed": self.seed,
        }
        shared |= {"replicates": self.replicates, "device": device}
        if isinstance(self.dataset, Joint):
            return feeds.sampled(
                self.dataset, train_rows=self.train_rows, eval_batches=self.eval_batches, **shared
            )
        return feeds.tabled(self.dataset, **shared)
