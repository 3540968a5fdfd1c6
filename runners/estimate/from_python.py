"""Estimate mutual information from Python, as `experiment=my_data` does."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from infobound.datasets.files.arrays import Arrays, table
from infobound.datasets.transforms import Transform
from infobound.estimators.base import Estimator, SampleEstimate
from infobound.estimators.dv import DV
from infobound.estimators.measurement import Critics
from infobound.models.critics.copula import GaussianCopula
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs.records import InMemory

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
    optimizer: Callable[[list[Tensor]], Optimizer] = partial(
        AdamW, lr=5e-3, weight_decay=0.1, fused=True
    ),
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
) -> SampleEstimate:
    """I(X; Y) of paired rows x (N, ...) and y (N, ...), in nats with its standard error.

    It is what `python run.py experiment=my_data` computes, Donsker-Varadhan where no estimator is
    given. It runs on `threads` threads of the processor, because small networks on a busy machine
    are many times slower on two than on one.

    Raises ValueError for rows or settings that cannot be used, and RunFailed if a value stops being
    finite.
    """
    estimation = Estimate(
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
    return SampleEstimate(metrics["mi"], metrics["mi_stderr"])
