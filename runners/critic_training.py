"""The task of training critics, R at once, and reading each on pairs that it never saw."""

import copy
import math
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from estimators.base import Bound, Estimator
from estimators.measurement import Measurement
from runners import evaluation
from runners.early_stopping import EarlyStopping
from runners.ensemble import Ensemble, Weights
from runners.feeds import Batches, Feed, Split
from runners.readings import FOLDS, Reading
from runners.schedule import Schedule

Critics = Callable[[int, int], nn.Module]
"""Makes a critic for the dimensions of x and y."""


def measured(critic: Critics, estimator: Estimator, batches: Batches, index: int) -> Measurement:
    """Copy `index` of a critic with its estimator, shown that copy's training rows."""
    x, y = batches.look(index)
    measurement = Measurement(critic(x.shape[-1], y.shape[-1]), copy.deepcopy(estimator))
    measurement.prepare(x, y)
    return measurement


class CriticTraining:
    """A Task: the critics climb the estimator on the batches of `feed`; with early stopping each is read at its best.

    With `folds` the copies are the folds of one table, and the standard error of their mean is that of means over disjoint
    test rows, sqrt(sum_k se_k^2) / K, each by influence values for the critic as it is. What training makes of other rows is
    left out: of the second order, but at 400 rows it has added half again.
    """

    def __init__(
        self,
        feed: Feed,
        critic: Critics,
        estimator: Estimator,
        optimizer: Callable[[list[Tensor]], Optimizer],
        stop_early: bool,
        patience: int | None,
        schedule: Callable[[Optimizer], Schedule],
        folds: bool,
        ensemble: Callable[[Callable[[int], nn.Module]], Ensemble],
    ) -> None:
        self._feed, self._kind, self._folds = feed, estimator.kind, folds
        self._ensemble = ensemble(partial(measured, critic, estimator, feed.batches))
        x, y = feed.zeros
        for rows in sorted({x.shape[1], min(x.shape[1], feed.held_out.least)}):
            self._ensemble.check(x[:, :rows], y[:, :rows])
        self._optimizer = optimizer([self._ensemble.parameters])
        self._schedule = schedule(self._optimizer)
        self._stopping = EarlyStopping(self._ensemble.weights(), patience) if stop_early else None

    def step(self) -> dict[str, Tensor]:
        self._schedule.set(self._ensemble.steps)
        bound: Bound = self._ensemble(*self._feed.batches.draw())
        self._ensemble.descend(bound.fit, self._optimizer)
        return {"loss": bound.fit.detach(), "mi": bound.value}

    def evaluate(self, step: int) -> dict[str, Any]:
        values = [evaluation.value(*self._pool(index, "validation", step)) for index in range(self._ensemble.replicates)]
        if self._stopping is not None:
            self._stopping.see(values, self._ensemble.weights())
        return {"mi": statistics.fmean(values)} | ({"mi_replicates": values} if len(values) > 1 else {})

    def finished(self) -> bool:
        """Every copy has stopped early, or the critic has no parameters to train."""
        untrainable = self._ensemble.parameters.numel() == 0
        return untrainable or (self._stopping is not None and self._stopping.done)

    def state(self) -> dict[str, Any]:
        return {
            "ensemble": self._ensemble.state(),
            "optimizer": self._optimizer.state_dict(),
            "batches": self._feed.batches.state(),
            "stopping": self._stopping.state() if self._stopping else {},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._ensemble.load(state["ensemble"])
        self._feed.batches.load(state["batches"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._stopping:
            self._stopping.load(state["stopping"])

    @property
    def training_negatives(self) -> int:
        """Product samples a row in a training batch, K."""
        x, y = self._feed.zeros
        with torch.no_grad():
            return self._measurement(0).scores(x[0], y[0]).product.shape[-1]

    def read(self, step: int) -> Reading:
        """Read every copy once on the test pairs.

        Raises RunFailed if a reading is not finite.
        """
        best = None if self._stopping is None else self._stopping.best
        values, errors, cap, warnings = [], [0.0], None, list[str]()
        for index in range(self._ensemble.replicates):
            estimator, pooled = self._pool(index, "test", step, best)
            values.append(evaluation.value(estimator, pooled))
            cap, pairs = estimator.cap(pooled.scores.product.shape[-1]), pooled.scores.product.numel()
            if self._ensemble.replicates == 1 or self._folds:
                errors.append(evaluation.stderr(estimator, pooled))
            if estimator.log_of_mean and values[-1] > math.log(pairs):
                warnings.append(f"{values[-1]:.2f} is above log {pairs}, its product pairs, and not to be believed")
        error_of = FOLDS if self._folds else "test rows by influence values"
        beside = {"mi_training": statistics.fmean(self._training_values(step, best))} if self._stopping else {}
        return Reading(values, math.hypot(*errors) / len(values), error_of, self._kind, cap, warnings, beside)

    def _training_values(self, step: int, weights: Weights | None) -> list[float]:
        pools = (self._pool(index, "train", step, weights) for index in range(self._ensemble.replicates))
        return [evaluation.value(estimator, pooled) for estimator, pooled in pools]

    def _measurement(self, index: int, weights: Weights | None = None) -> Measurement:
        module = self._ensemble.copy(index, weights)
        assert isinstance(module, Measurement)
        return module

    def _pool(self, index: int, split: Split, step: int, weights: Weights | None = None) -> tuple[Estimator, evaluation.Pool]:
        measurement = self._measurement(index, weights)
        return measurement.estimator, evaluation.pool(measurement, self._feed.held_out.blocks(index, split, step))
