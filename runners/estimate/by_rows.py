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
from infobound.runners.estimate.row_order import one_of_each_copy, order_doubts
from infobound.runners.estimate.saturation import saturation
from infobound.runners.runs.records import Record
from infobound.runners.runs.waiting import Waiting, tracked
from infobound.runners.training.autocorrelation import memory_of
from infobound.runners.training.permutation import (
    Permuted,
    of_rotated_rows,
    of_rows,
    rotations,
)
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import Error, Reading, spread
from infobound.runners.training.settings import Execution


@dataclass(frozen=True, eq=False)
class PermutedRows:
    """The estimate for every copy's rows, and its values for permuted partners, or for rotated ones
    if the rows follow one another.
    """

    estimator: SampleEstimator
    rows: Sequence[tuple[Tensor, Tensor]]
    in_time: bool
    seed: int

    def __call__(self, permutations: int) -> list[Permuted]:
        return [self._permuted(x, y, permutations, copy) for copy, (x, y) in enumerate(self.rows)]

    def _permuted(self, x: Tensor, y: Tensor, permutations: int, copy: int) -> Permuted:
        source = generator(torch.device("cpu"), self.seed, copy, "permutation")
        if self.in_time:
            shifts = rotations(len(x), permutations, source)
            return of_rotated_rows(self.estimator, x, y, shifts)
        return of_rows(self.estimator, x, y, permutations, source)


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
        table = None if isinstance(self.dataset, Joint) else self.dataset
        if table is not None:
            kept = one_of_each_copy(table)
            rows = [(x[kept], y[kept]) for x, y in rows]
        with Waiting("reading the rows"):
            estimates = [self.estimator(x, y) for x, y in tracked(rows)]
        values = [each.value for each in estimates]
        own = Error(estimates[0].stderr, "test rows by influence values", len(rows[0][0]) - 1)
        memory = None if table is None else memory_of(table)
        if memory is not None:
            own = memory.widened(own)
        error = spread(values) if len(values) > 1 else own
        reading = Reading(values, error, self.estimator.kind, warnings=self._warnings(*rows[0]))

        permuted = PermutedRows(self.estimator, rows, memory is not None, self.execution.seed)
        return partial(self._measure, reading, permuted)

    def _warnings(self, x: Tensor, y: Tensor) -> Sequence[str]:
        estimator = self.estimator
        table = None if isinstance(self.dataset, Joint) else self.dataset
        order = [] if table is None else order_doubts(table)
        independent = not order and (table is None or table.about.order == "none")
        unlimited = saturation(x, y, independent=independent)
        return [
            *(() if table is None else (*table.about.warnings, *order, *_grouped(table))),
            *doubts(x.shape[1] + y.shape[1], len(x)),
            *(estimator.doubts(x, y) if isinstance(estimator, Particular) else ()),
            *([] if unlimited is None else [unlimited]),
        ]

    def _measure(self, reading: Reading, permuted: PermutedRows, record: Record) -> Measured:
        truth = self.dataset.mutual_information
        return Measured(reading, read_alone(reading, truth, record), permuted)


def _grouped(rows: Rows) -> Sequence[str]:
    """A warning of groups, which these estimates do not know."""
    units, copies = rows.about.units, rows.about.copies
    if units is None or (copies is not None and torch.equal(units, copies)):
        return []
    return [
        "rows of a group are read as independent ones, so the estimate may be too high, its error"
        " and p-value too small; use a critic, as experiment=my_data does"
    ]
