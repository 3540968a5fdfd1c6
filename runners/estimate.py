"""Estimate mutual information: train a critic on pairs, read it on pairs that it never saw."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from datasets.arrays import Arrays, table
from datasets.interfaces import Joint, Rows
from datasets.transforms import Transform
from estimators.base import Estimate, Estimator, SampleEstimator
from estimators.infonce import InfoNCE
from models.critics import Separable
from runners import feeds, plots
from runners.critic_training import Critics, CriticTraining
from runners.devices import device_named
from runners.ensemble import Ensemble
from runners.loop import Cadence, Loop
from runners.readings import Reading, sentence
from runners.records import InMemory, Outcome, Record


@dataclass(frozen=True, kw_only=True)
class Estimation:
    """Trains `replicates` critics on pairs of `dataset` and reads each once on held-out pairs.

    A data set that can be sampled is read on `eval_batches` fresh batches of `eval_batch_size` pairs, and `train_rows` makes
    it train on that many fixed pairs. One of finite rows is read on its test rows, by the critic that read its validation rows
    best: training stops `patience` evaluations after that one. Critics are read with the moving average of their weights of
    decay `average`, 0 being none.
    """

    dataset: Joint | Rows
    critic: Critics | None
    estimator: Estimator | SampleEstimator
    optimizer: Callable[[list[Tensor]], Optimizer]
    steps: int
    batch_size: int
    train_rows: int | None
    average: float
    log_every: int
    eval_every: int
    eval_batches: int
    eval_batch_size: int
    patience: int | None
    checkpoint_every: int
    checkpoint_seconds: float | None
    seed: int
    replicates: int
    device: str
    precision: Literal["fp32", "bf16"]
    compile: bool

    def __post_init__(self) -> None:
        for name, least in {"batch_size": 2, "eval_batches": 1, "eval_batch_size": 4, "replicates": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("train_rows", "patience"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be a positive integer or null, got {value}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be the decay of a moving average, 0 (none) or more and below 1, got {self.average}")
        if isinstance(self.estimator, Estimator) and self.critic is None:
            raise ValueError("critic must be one that gives scores, got none; use critic=separable")
        if not isinstance(self.estimator, Estimator) and self.critic is not None:
            raise ValueError(f"critic must be none for {type(self.estimator).__name__}, which trains nothing; use critic=none")
        _ = self.cadence

    def prepare(self) -> Callable[[Record], Outcome]:
        """Read the data, build the networks and try them on a batch of zeros.

        Raises ValueError or OSError for whatever is wrong with the settings or the data.
        """
        if isinstance(self.estimator, Estimator):
            return self._by_critic(self.estimator)
        return self._by_sample(self.estimator)

    def _by_critic(self, estimator: Estimator) -> Callable[[Record], Outcome]:
        cadence, task = self.cadence, self.task()

        def run(record: Record) -> Outcome:
            truth = self.dataset.mutual_information
            cap = estimator.cap(task.training_negatives)
            record.constants({"mi/true": truth, "mi/cap": cap})
            trained = Loop(task, cadence, record).run()
            metrics = task.read(trained.steps).metrics(truth)
            record.write(trained.steps, "test", {name: metrics[name] for name in ("mi", "mi_stderr")})
            record.figure("estimate", plots.estimate_by_step(record.history(), truth, cap), trained.steps)
            return Outcome(metrics, metrics["mi"], sentence(metrics), trained.steps, trained.seconds)

        return run

    def _by_sample(self, estimator: SampleEstimator) -> Callable[[Record], Outcome]:
        rows = feeds.every_row(
            self.dataset,
            size=self.train_rows or self.eval_batches * self.eval_batch_size,
            seed=self.seed,
            replicates=self.replicates,
            device=device_named(self.device),
        )

        def run(record: Record) -> Outcome:
            estimates = [estimator(x, y) for x, y in rows]
            reading = Reading([each.value for each in estimates], estimates[0].stderr, "subsamples", estimator.kind)
            metrics = reading.metrics(self.dataset.mutual_information)
            record.write(0, "test", {name: metrics[name] for name in ("mi", "mi_stderr")})
            return Outcome(metrics, metrics["mi"], sentence(metrics))

        return run

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return Cadence(self.steps, self.log_every, self.eval_every, self.checkpoint_every, self.checkpoint_seconds)

    def task(self) -> CriticTraining:
        """The critics with their data, before the first step.

        Raises ValueError or OSError for whatever is wrong with the settings or the data.
        """
        if self.critic is None or not isinstance(self.estimator, Estimator):
            raise TypeError("an estimator without a critic has nothing to train")
        device = device_named(self.device)
        ensemble = partial(
            Ensemble,
            replicates=self.replicates,
            seed=self.seed,
            device=device,
            precision=self.precision,
            compiled=self.compile,
            average=self.average,
        )
        stop_early = not isinstance(self.dataset, Joint)
        return CriticTraining(
            self._feed(device), self.critic, self.estimator, self.optimizer, stop_early, self.patience, ensemble
        )

    def _feed(self, device: torch.device) -> feeds.Feed:
        shared: Any = {"batch_size": self.batch_size, "eval_batch_size": self.eval_batch_size, "seed": self.seed}
        shared |= {"replicates": self.replicates, "device": device}
        if isinstance(self.dataset, Joint):
            return feeds.sampled(self.dataset, train_rows=self.train_rows, eval_batches=self.eval_batches, **shared)
        return feeds.tabled(self.dataset, **shared)


def estimate_mutual_information(
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    *,
    estimator: Estimator | None = None,
    critic: Critics = partial(Separable, hidden=(256, 256), embed=32, activation="ReLU"),
    optimizer: Callable[[list[Tensor]], Optimizer] = partial(Adam, lr=5e-4, fused=True),
    validation: float = 0.2,
    test: float = 0.2,
    transform: Transform = "gaussian_ranks",
    steps: int = 5000,
    batch_size: int = 128,
    average: float = 0.999,
    eval_every: int = 100,
    eval_batch_size: int = 1024,
    patience: int | None = 10,
    replicates: int = 1,
    seed: int = 0,
    device: str = "cpu",
) -> Estimate:
    """I(X; Y) of paired rows x (N, ...) and y (N, ...), in nats with its standard error.

    It is what `python run.py experiment=my_arrays` computes, InfoNCE where no estimator is given.

    Raises ValueError for rows or settings that cannot be used, and RunFailed if a value stops being finite.
    """
    estimation = Estimation(
        dataset=Arrays(table("x", x), table("y", y), validation, test, transform),
        critic=critic,
        estimator=estimator or InfoNCE(),
        optimizer=optimizer,
        steps=steps,
        batch_size=batch_size,
        train_rows=None,
        average=average,
        log_every=eval_every,
        eval_every=eval_every,
        eval_batches=1,
        eval_batch_size=eval_batch_size,
        patience=patience,
        checkpoint_every=steps,
        checkpoint_seconds=None,
        seed=seed,
        replicates=replicates,
        device=device,
        precision="fp32",
        compile=False,
    )
    metrics = estimation.prepare()(InMemory()).metrics
    return Estimate(metrics["mi"], metrics["mi_stderr"])
