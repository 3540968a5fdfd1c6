"""Estimates by critics: train them on pairs and read them on held-out pairs."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from infobound.datasets.interfaces import Joint, Rows
from infobound.estimators.base import Estimator
from infobound.estimators.dv import DV
from infobound.estimators.measurement import Critics
from infobound.models.critics.copula import GaussianCopula
from infobound.runners.critics import feeds
from infobound.runners.critics.splits import training_rows
from infobound.runners.critics.task import CriticTraining
from infobound.runners.estimate.beside import beside
from infobound.runners.estimate.best import with_best
from infobound.runners.estimate.columns import doubts
from infobound.runners.estimate.evaluation import Evaluation
from infobound.runners.estimate.measured import Measure, Measured
from infobound.runners.runs import plots
from infobound.runners.runs.metrics import Metrics, Quantity
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training.readings import Reading, sentence
from infobound.runners.training.runner import Runner
from infobound.runners.training.settings import Cadence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PASSES = 3
"""Number of passes over a table's training rows between two readings."""
SELDOM = 50
"""Maximum number of steps between two such readings."""


@dataclass(frozen=True, kw_only=True)
class ByCritic(Runner[CriticTraining]):
    """Trains a critic for every replicate, or for every fold of a table, all at once.

    Raises ValueError for settings that do not fit together.
    """

    dataset: Joint | Rows
    critic: Critics
    estimator: Estimator
    evaluation: Evaluation

    @property
    def score(self) -> str:
        return "mi"

    def sentence(self, metrics: Written) -> str:
        return sentence(metrics)

    def figures(
        self, task: CriticTraining, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        truth = self.dataset.mutual_information
        yield "estimate", plots.estimate_by_step(record.history(), truth, task.cap)

    @property
    def pace(self) -> Cadence:
        """The cadence. By default, a table is read after every third pass over its training rows,
        because a critic of few rows overfits soon.
        """
        if isinstance(self.dataset, Joint) or self.cadence.eval_every is not None:
            return self.cadence
        passes = PASSES * training_rows(self.dataset) / self.optimisation.batch_size
        return dataclasses.replace(self.cadence, eval_every=max(1, min(SELDOM, round(passes))))

    def task(self) -> CriticTraining:
        table = None if isinstance(self.dataset, Joint) else self.dataset
        task = CriticTraining(
            self._feed(),
            self.critic,
            self.estimator,
            self.optimisation,
            self.execution,
            stop_early=table is not None,
            patience=self.evaluation.patience,
            folds=table.folds if table else None,
            truth=self.dataset.mutual_information,
            completed=partial(self._completed, table) if table else None,
        )
        if table is None and self.estimator.kind == "lower bound":
            task.merit = _bound
        return task

    def _completed(self, table: Rows, reading: Reading) -> Reading:
        """The reading of a table with what else is known about its rows, and the best estimate if
        its critics are those that it was calibrated with.
        """
        found, training = beside(table, self.execution.seed), reading.beside.get("mi_training")
        reading = dataclasses.replace(
            reading,
            beside={**reading.beside, **found.metrics},
            warnings=[
                *reading.warnings,
                *table.about.warnings,
                *found.order,
                *doubts(found.columns, training_rows(table)),
                *([] if found.unlimited is None else [found.unlimited]),
            ],
        )
        critic = getattr(self.critic, "func", self.critic)
        calibrated = critic is GaussianCopula and isinstance(self.estimator, DV)
        if calibrated and table.folds is not None and training is not None:
            return with_best(reading, training, found)
        return reading

    def measuring(self) -> Measure:
        """Prepare an estimate that gives more than an outcome."""
        return partial(self._measure, self.checked())

    def _measure(self, task: CriticTraining, record: Record) -> Measured:
        outcome = self.run(task, record)
        permuted = task.reader.permuted(outcome.steps, self.execution.seed)
        return Measured(task.reading(outcome.steps), outcome, permuted, permuted.critics)

    def _feed(self) -> feeds.Feed:
        execution, evaluation = self.execution, self.evaluation
        shared: Any = {
            "batch_size": self.optimisation.batch_size,
            "eval_batch_size": evaluation.eval_batch_size,
            "seed": execution.seed,
            "replicates": execution.replicates,
            "device": execution.place,
        }
        if isinstance(self.dataset, Joint):
            return feeds.sampled(
                self.dataset,
                train_rows=evaluation.train_rows,
                eval_batches=evaluation.eval_batches,
                **shared,
            )
        return feeds.tabled(self.dataset, **shared)


def _bound(found: Metrics) -> float:
    """The mean of the copies' lower bounds, nats."""
    mi = found["mi"]
    return mi.value if isinstance(mi, Quantity) else -math.inf
