"""Estimates by statistics of rows, without training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint, Rows
from infobound.estimators.base import Particular, SampleEstimator
from infobound.runners.critics import feeds
from infobound.runners.estimate.columns import doubts
from infobound.runners.estimate.evaluation import Evaluation
from infobound.runners.estimate.measured import Measure, Measured, read_alone
from infobound.runners.estimate.saturation import saturation
from infobound.runners.runs.records import Record
from infobound.runners.runs.waiting import Waiting, tracked
from infobound.runners.training.permutation import Permuted, of_rows
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import Error, Reading, spread
from infobound.runners.training.settings import Execution


@dataclass(frozen=True, eq=False)
class PermutedRows:
    """The estimate for every copy's rows, and its values for permuted partners."""

    estimator: SampleEstimator
    rows: Sequence[tuple[Tensor, Tensor]]
    seed: int

    def __call__(self, permutations: int) -> list[Permuted]:
        cpu = torch.device("cpu")
        return [
            of_rows(
                self.estimator, *rows, permutations, generator(cpu, self.seed, copy, "permutation")
            )
            for copy, rows in enumerate(self.rows)
        ]


@dataclass(frozen=True, kw_only=True)
class ByRows:
    """Estimates from every row of a table, or from fresh rows for every replicate."""

    dataset: Joint | Rows
    estimator: SampleEstimator
    evaluation: Evaluation
    execution: Execution

    def measuring(self) -> Measure:
        """Read the rows.

        Raises ValueError for rows that the estimator cannot read.
        """
        size = self.evaluation.eval_batches * self.evaluation.eval_batch_size
        rows = feeds.every_row(
            self.dataset,
            size=self.evaluation.train_rows or size,
            seed=self.execution.seed,
            replicates=self.execution.replicates,
            device=self.execution.place,
        )
        with Waiting("reading the rows"):
            estimates = [self.estimator(x, y) for x, y in tracked(rows)]
        values = [each.value for each in estimates]
        own = Error(estimates[0].stderr, "test rows by influence values", len(rows[0][0]) - 1)
        error = spread(values) if len(values) > 1 else own
        reading = Reading(values, error, self.estimator.kind, warnings=self._warnings(*rows[0]))

        permuted = PermutedRows(self.estimator, rows, self.execution.seed)
        return partial(self._measure, reading, permuted)

    def _warnings(self, x: Tensor, y: Tensor) -> Sequence[str]:
        estimator = self.estimator
        unlimited = saturation(x, y)
        return [
            *(() if isinstance(self.dataset, Joint) else self.dataset.about.warnings),
            *doubts(x.shape[1] + y.shape[1], len(x)),
            *(estimator.doubts(x, y) if isinstance(estimator, Particular) else ()),
            *([] if unlimited is None else [unlimited]),
        ]

    def _measure(self, reading: Reading, permuted: PermutedRows, record: Record) -> Measured:
        truth = self.dataset.mutual_information
        return Measured(reading, read_alone(reading, truth, record), permuted)
