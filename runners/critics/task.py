"""The task of training critics, R at once, to be read on pairs that they never saw."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.estimators.base import Bound, Estimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.runners.critics import evaluation
from infobound.runners.critics.feeds import Feed
from infobound.runners.critics.reading import CriticReader, described
from infobound.runners.training.early_stopping import EarlyStopping
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.permutation import Permuted
from infobound.runners.training.readings import Reading
from infobound.runners.training.schedule import Schedule


class CriticTraining:
    """A Task: the critics climb the estimator on the batches of `feed`; with early stopping each is
    read at its best.

    With `folds` the copies are the folds of one table. What they descend is `loss` of a batch's
    bound, by default its fit.
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
        loss: Callable[[Bound], Tensor] = attrgetter("fit"),
    ) -> None:
        self._evaluated, self._loss = 0, loss
        self._feed, self._lower = feed, estimator.kind == "lower bound"
        self._ensemble = ensemble(
            lambda index: Measurement.of(critic, estimator, *feed.batches.look(index))
        )
        x, y = feed.zeros
        for rows in sorted({x.shape[1], min(x.shape[1], feed.held_out.least)}):
            self._ensemble.check(x[:, :rows], y[:, :rows])
        self._optimizer = elementwise(optimizer([self._ensemble.parameters]))
        self._schedule = schedule(self._optimizer)
        stop_early = stop_early and self._ensemble.parameters.numel() > 0
        self._stopping = EarlyStopping(self._ensemble.weights(), patience) if stop_early else None
        copies: Literal["folds", "replicates"] = "folds" if folds else "replicates"
        self._current = CriticReader(self._ensemble, feed.held_out, estimator.kind, copies)
        self._best = (
            dataclasses.replace(self._current, weights=self._stopping.best)
            if self._stopping
            else self._current
        )

    def step(self) -> dict[str, Tensor]:
        self._schedule.set(self._ensemble.steps)
        bound: Bound = self._ensemble(*self._feed.batches.draw())
        loss = self._loss(bound)
        self._ensemble.descend(loss, self._optimizer)
        return {"loss": loss.detach(), "mi": bound.value}

    def evaluate(self, step: int) -> dict[str, Any]:
        self._evaluated = step
        values = self._current.values("validation", step)
        if self._stopping is not None:
            better = (
                values
                if self._lower
                else self._current.values("validation", step, evaluation.negative_fit)
            )
            self._stopping.see(better, self._ensemble.weights())
        return {"mi": statistics.fmean(values)} | (
            {"mi_replicates": values} if len(values) > 1 else {}
        )

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
            "evaluated": self._evaluated,
            "dims": [rows.shape[-1] for rows in self._feed.zeros],
            "measurement": described(self._ensemble.copy(0)),
            "changes": [[change._asdict() for change in pair] for pair in self._feed.changes],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._evaluated = state["evaluated"]
        self._ensemble.load(state["ensemble"])
        self._feed.batches.load(state["batches"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._stopping:
            self._stopping.load(state["stopping"])

    def critic(self, index: int) -> nn.Module:
        """Copy `index` as it is now; the next call overwrites it."""
        return self._current.measurement(index).critic.eval()

    @property
    def training_negatives(self) -> int:
        """Product samples a row in a training batch, K."""
        x, y = self._feed.zeros
        module = self._ensemble.copy(0).eval()
        assert isinstance(module, Measurement)
        with torch.no_grad():
            return module.scores(x[0], y[0]).product.shape[-1]

    def read(self, step: int) -> Reading:
        """Read every copy once on the test pairs, at its best where it stops early.

        Raises RunFailed if a reading is not finite.
        """
        reading = self._best.read(step)
        if self._stopping is None:
            return reading
        training = statistics.fmean(self._best.values("train", step))
        return dataclasses.replace(reading, beside={"mi_training": training})

    def permuted(self, step: int, seed: int, permutations: int) -> list[Permuted]:
        """Each copy's mean joint score on its test pairs, as they are and with permuted
        partners.
        """
        return self._best.permuted(step, seed, permutations)
