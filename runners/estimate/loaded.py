"""Estimates by critics that an earlier run trained."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from infobound.datasets.interfaces import Rows
from infobound.estimators.base import Estimator
from infobound.estimators.measurement import Critics
from infobound.runners.critics.reading import CriticReader
from infobound.runners.critics.trained_critics import TrainedCritics
from infobound.runners.estimate.beside import beside
from infobound.runners.estimate.evaluation import Evaluation
from infobound.runners.estimate.measured import Measure, Measured, read_alone
from infobound.runners.runs.records import Record
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.training.settings import Execution


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The critics of the completed run in the folder `load` read every row of a table."""

    load: Path
    dataset: Rows
    critic: Critics
    estimator: Estimator
    average: float
    evaluation: Evaluation
    execution: Execution

    def measuring(self) -> Measure:
        """Rebuild the critics.

        Raises ValueError if the critics or the columns differ from those of the run.
        """
        run = TrainedRun.open(self.load)
        with run.fitting():
            reader = TrainedCritics.of(run).reader(
                self.dataset,
                self.critic,
                self.estimator,
                partial(self.execution.ensemble, average=self.average),
                self.evaluation.eval_batch_size,
                self.execution.place,
            )
        return partial(self._measure, reader)

    def _measure(self, reader: CriticReader, record: Record) -> Measured:
        reading, seed = reader.read(0), self.execution.seed
        found = beside(self.dataset, seed)
        told = [*self.dataset.about.warnings, *found.order]
        told += [] if found.unlimited is None else [found.unlimited]
        reading = replace(reading, warnings=[*reading.warnings, *told], beside=found.metrics)
        outcome = read_alone(reading, self.dataset.mutual_information, record)
        permuted = reader.permuted(0, seed)
        return Measured(reading, outcome, permuted, permuted.critics)
