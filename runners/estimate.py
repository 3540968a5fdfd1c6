"""Estimate mutual information: train a critic on pairs, read it on pairs that it never saw."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from datasets.arrays import Arrays, table
from datasets.interfaces import Joint, Rows
from datasets.transforms import Transform
from estimators.base import Estimate, Estimator, SampleEstimator
from estimators.dv import DV
from models.copula import GaussianCopula
from runners import feeds, plots
from runners.beside import beside
from runners.critic_training import Critics, CriticTraining
from runners.devices import device_named
from runners.ensemble import Ensemble
from runners.loop import Cadence, Loop
from runners.readings import Reading, sentence
from runners.records import InMemory, Outcome, Record
from runners.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Estimation:
    """Trains `replicates` critics on pairs of `dataset` and reads each once on held-out pairs.

    A data set that can be sampled is read on `eval_batches` fresh batches of `eval_batch_size` pairs, and `train_rows` makes
    it train on that many fixed pairs. One of finite rows is read on its test rows, by the critic that read its validation rows
    best: training stops `patience` evaluations after that one; its folds are copies, trained at once. Critics are read with the
    moving average of their weights of decay `average`, 0 being none. The learning rate rises for `warmup` steps, and where
    `cosine` falls to zero at the last one.
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
    warmup: int = 0
    cosine: bool = False

    def __post_init__(self) -> None:
        for name, least in {"batch_size": 2, "eval_batches": 1, "eval_batch_size": 4, "replicates": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("train_rows", "patience"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be a positive integer or null, got {value}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be the decay of a moving average, 0 (none) or more and below 1, got {self.average}")
        if not isinstance(self.dataset, Joint | Rows):
            raise ValueError(f"dataset must be one to sample pairs from or rows to read, got {type(self.dataset).__name__}")
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
            reading = task.read(trained.steps)
            metrics = reading.metrics(truth) | self._beside()
            record.write(trained.steps, "test", {name: metrics[name] for name in ("mi", "mi_stderr")})
            record.figure("estimate", plots.estimate_by_step(record.history(), truth, cap), trained.steps)
            return Outcome(metrics, reading.mean, sentence(metrics), trained.steps, trained.seconds)

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
            reading = Reading(
                [each.value for each in estimates], estimates[0].stderr, "test rows by influence values", estimator.kind
            )
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
            replicates=self._folds or self.replicates,
            seed=self.seed,
            device=device,
            precision=self.precision,
            compiled=self.compile,
            average=self.average,
        )
        return CriticTraining(
            self._feed(device),
            self.critic,
            self.estimator,
            self.optimizer,
            stop_early=not isinstance(self.dataset, Joint),
            patience=self.patience,
            schedule=partial(Schedule, warmup=self.warmup, end=self.steps if self.cosine else None),
            folds=self._folds is not None,
            ensemble=ensemble,
        )

    @property
    def _folds(self) -> int | None:
        return None if isinstance(self.dataset, Joint) else self.dataset.folds

    def _beside(self) -> dict[str, float | None]:
        """What costs little to say of a finite table beside the estimate."""
        if isinstance(self.dataset, Joint):
            return {}
        [(x, y)] = feeds.every_row(self.dataset, size=0, seed=self.seed, replicates=1, device=torch.device("cpu"))
        return beside(x, y, self.seed)

    def _feed(self, device: torch.device) -> feeds.Feed:
        shared: Any = {"batch_size": self.batch_size, "eval_batch_size": self.eval_batch_size, "seed": self.seed}
        shared |= {"replicates": self.replicates, "device": device}
        if isinstance(self.dataset, Joint):
            return feeds.sampled(self.dataset, train_rows=self.train_rows, eval_batches=self.eval_batches, **shared)
        return feeds.tabled(self.dataset, **shared)


COPULA = partial(
    GaussianCopula,
    hidden=(128, 128),
    embed=64,
    warp=[128],
    waves=12,
    activation="SiLU",
    clip=6.0,
    begin=0.2,
    held_back=0.1,
)


def estimate_mutual_information(
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    *,
    estimator: Estimator | None = None,
    critic: Critics = COPULA,
    optimizer: Callable[[list[Tensor]], Optimizer] = partial(AdamW, lr=5e-3, weight_decay=0.1, fused=True),
    validation: float = 0.1,
    test: float = 0.2,
    folds: int | None = 3,
    transform: Transform = "gaussian_ranks",
    steps: int = 800,
    batch_size: int = 256,
    average: float = 0.99,
    warmup: int = 50,
    cosine: bool = True,
    eval_every: int = 50,
    eval_batch_size: int = 1024,
    patience: int | None = 8,
    replicates: int = 1,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 1,
) -> Estimate:
    """I(X; Y) of paired rows x (N, ...) and y (N, ...), in nats with its standard error.

    It is what `python run.py experiment=my_data` computes, Donsker-Varadhan where no estimator is given. It runs on `threads`
    threads of the processor, because small networks on a busy machine are many times slower on two than on one.

    Raises ValueError for rows or settings that cannot be used, and RunFailed if a value stops being finite.
    """
    estimation = Estimation(
        dataset=Arrays(table("x", x), table("y", y), validation, test, transform, folds),
        critic=critic,
        estimator=estimator or DV(),
        optimizer=optimizer,
        steps=steps,
        batch_size=batch_size,
        train_rows=None,
        average=average,
        warmup=warmup,
        cosine=cosine,
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
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        metrics = estimation.prepare()(InMemory()).metrics
    finally:
        torch.set_num_threads(before)
    return Estimate(metrics["mi"], metrics["mi_stderr"])
