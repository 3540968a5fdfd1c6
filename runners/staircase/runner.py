"""Staircase: critics are trained while the mutual information of their pairs climbs, and every
batch is read beforehand.

R copies, S steps, L levels.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from infobound.datasets.pairs.staircase import GaussianStaircase
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.runners.critics import feeds
from infobound.runners.runs import plots
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training.batches import Batches, FreshBatches
from infobound.runners.training.devices import device_named
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.loop import Loop
from infobound.runners.training.settings import Training


@dataclass(frozen=True, kw_only=True)
class Staircase(Training):
    """Trains `replicates` critics throughout all levels of `dataset` and reads each batch of fresh
    pairs before its step.

    Each level's bias, variance and mean squared error are those of its last `window` values, each
    an estimate from a single batch by the moving average of the weights of decay `average`, 0 being
    the weights themselves. A value is held out: no weights behind it have seen its batch. The
    estimate of the run is that of the last level, and `mse` the mean of all.

    Poole et al. 2019, https://arxiv.org/abs/1905.06922; Song and Ermon 2020,
    https://arxiv.org/abs/1910.06222
    """

    dataset: GaussianStaircase
    critic: Critics | None
    estimator: Estimator | SampleEstimator
    optimizer: Callable[[list[Tensor]], Optimizer]
    window: int
    average: float
    eval_every: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, GaussianStaircase):
            raise ValueError(
                f"dataset must be a staircase, got {type(self.dataset).__name__}; use"
                " dataset=staircase"
            )
        if not isinstance(self.estimator, Estimator) or self.critic is None:
            raise ValueError(
                f"estimator must be one that trains a critic, got {type(self.estimator).__name__}"
                " without one"
            )
        if self.estimator.kind == "loss":
            raise ValueError(
                f"estimator must give nats, got {type(self.estimator).__name__}, a loss; use"
                " estimator=infonce"
            )
        super().__post_init__()
        if not 2 <= self.window <= self.dataset.steps:
            raise ValueError(
                f"window must be at least 2 and at most a level's {self.dataset.steps} steps, got"
                f" {self.window}"
            )

    @property
    def steps(self) -> int:
        """Those of all levels."""
        return self.dataset.steps * len(self.dataset.levels)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build the networks and try them on a batch of zeros.

        Raises ValueError for whatever is wrong with the settings.
        """
        cadence = self.paced(self.steps, self.eval_every)
        task = self.task()
        truths = [nats for nats in self.dataset.levels for _ in range(self.dataset.steps)]

        def run(record: Record) -> Outcome:
            record.constants({"mi/cap": task.cap})

            def draw(step: int) -> None:
                record.figure(
                    "staircase", plots.staircase(task.values[0, :step], truths, task.cap), step
                )

            trained = Loop(task, cadence, record, draw).run()
            levels = self._levels(task.values)
            draw(trained.steps)
            last = {
                key: value
                for key, value in levels[-1].items()
                if key.startswith("mi") or key == "stderr_of"
            }
            mse = statistics.fmean(each["mse"] for each in levels)
            beside = {
                "mi_cap": task.cap,
                "kind": self.estimator.kind,
                "warnings": [],
                "mse": mse,
                "levels": levels,
            }
            return Outcome(last | beside, mse, sentence(levels), trained.steps, trained.seconds)

        return run

    def task(self) -> "Climbing":
        """The critics before the first step."""
        if self.critic is None or not isinstance(self.estimator, Estimator):
            raise TypeError("an estimator without a critic has nothing to train")
        critic, estimator, device = self.critic, self.estimator, device_named(self.device)
        batches = FreshBatches(
            self.dataset.at,
            batch_size=self.batch_size,
            seed=self.seed,
            replicates=self.replicates,
            device=device,
        )
        ensemble = self.ensemble(
            lambda index: Measurement.of(critic, estimator, *batches.look(index)),
            self.seed,
            device,
            self.average,
        )
        first = self.dataset.at(0)
        zeros = feeds.zeros(self.replicates, self.batch_size, first.dim_x, first.dim_y, device)
        return Climbing(batches, ensemble, self.optimizer, zeros, self.steps)

    def _levels(self, values: Tensor) -> list[dict[str, Any]]:
        """What was read (R, S), level by level."""
        ends = [self.dataset.steps * (index + 1) for index in range(len(self.dataset.levels))]
        windows = zip(
            self.dataset.levels, (values[:, end - self.window : end] for end in ends), strict=True
        )
        return [level(nats, window) for nats, window in windows]


class Climbing:
    """A Task: critics climb their estimator, and each batch is read by their averaged weights
    before it is trained on.

    Raises ValueError if the critics have no weights.
    """

    def __init__(
        self,
        batches: Batches,
        ensemble: Ensemble,
        optimizer: Callable[[list[Tensor]], Optimizer],
        zeros: tuple[Tensor, Tensor],
        steps: int,
    ) -> None:
        ensemble.check(*zeros)
        if not ensemble.parameters.numel():
            raise ValueError("critic must have weights to train, got none; use critic=separable")
        self.batches, self.ensemble = batches, ensemble
        self._optimizer = elementwise(optimizer([ensemble.parameters]))
        self.values = torch.zeros(ensemble.replicates, steps, device=ensemble.parameters.device)
        """(R, S) what the batch of each step read, nats; made at once, because many small tensors
        would scatter the memory.
        """
        measurement = ensemble.copy(0).eval()
        assert isinstance(measurement, Measurement)
        x, y = zeros
        self.cap = measurement.estimator.cap(measurement.scores(x[0], y[0]).product.shape[-1])
        """The most nats that a batch can read, or None."""

    def step(self) -> dict[str, Tensor]:
        x, y = self.batches.draw()
        value = self.ensemble.read(x, y).value.view(-1)
        self.values[:, self.ensemble.steps] = value
        bound: Bound = self.ensemble(x, y)
        self.ensemble.descend(bound.fit, self._optimizer)
        return {"loss": bound.fit.detach(), "mi": value}

    def evaluate(self, step: int) -> dict[str, Any]:
        """The mean of the latest values, which are held out as they are."""
        return (
            {"mi": self.values[:, max(0, step - plots.SPAN) : step].mean().item()} if step else {}
        )

    def finished(self) -> bool:
        return False

    def state(self) -> dict[str, Any]:
        return {
            "ensemble": self.ensemble.state(),
            "optimizer": self._optimizer.state_dict(),
            "batches": self.batches.state(),
            "values": self.values,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.ensemble.load(state["ensemble"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.batches.load(state["batches"])
        self.values.copy_(state["values"])


def level(nats: float, values: Tensor) -> dict[str, Any]:
    """What values (R, W) say where the truth is `nats`: over all of them bias^2 + variance = mse,
    and each copy's own mean.
    """
    errors = values.double() - nats
    squares = errors.square()
    return {
        "level": nats,
        "mi": nats + errors.mean().item(),
        "mi_stderr": _stderr(errors),
        "mi_true": nats,
        "mi_replicates": (nats + errors.mean(1)).tolist(),
        "stderr_of": "replicates" if len(values) > 1 else "subsamples",
        "bias": errors.mean().item(),
        "variance": errors.var(correction=0).item(),
        "mse": squares.mean().item(),
        "mse_stderr": _stderr(squares),
        "mse_replicates": squares.mean(1).tolist(),
    }


def _stderr(values: Tensor) -> float:
    """Standard error of the mean of (R, W), from the copies where there are several."""
    independent = values.mean(1) if len(values) > 1 else values[0]
    return (independent.std() / math.sqrt(len(independent))).item()


def sentence(levels: Sequence[Mapping[str, Any]]) -> str:
    """The errors as a person reads them, a line a level."""
    return "\n".join(
        f"{each['level']:g} nats: read {each['mi']:.2f} ± {each['mi_stderr']:.2f}, bias"
        f" {each['bias']:.2f}, variance {each['variance']:.2f}, mean squared error"
        f" {each['mse']:.2f}"
        for each in levels
    )
