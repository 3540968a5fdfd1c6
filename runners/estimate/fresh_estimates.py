"""What any estimator of the group reads of pairs that a network makes, with a critic of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from infobound.datasets.interfaces import Joint
from infobound.estimators.base import Estimator, SampleEstimate, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.runners.critics.task import CriticTraining
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs.records import InMemory
from infobound.runners.training import limits
from infobound.runners.training.loop import Loop
from infobound.runners.training.randomness import generator, stream


class Pairs(Joint, Protocol):
    """Pairs made on a device."""

    @property
    def device(self) -> torch.device: ...

    def each(self, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The rows x (N, dim_x) and y (N, dim_y) for what trains no critic, with so many samples of
        the noise of an input.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FreshEstimates:
    """An estimator that trains nothing reads rows with `samples` of the noise of each input, where
    the inputs are known.

    Of any other a fresh critic is trained for `steps` steps on fresh pairs, and read by the moving
    average of its weights of decay `average` on `eval_batches` further batches of `eval_batch_size`
    pairs.
    """

    estimator: Estimator | SampleEstimator
    critic: Critics | None
    optimizer: Callable[[list[Tensor]], Optimizer]
    samples: int
    steps: int
    batch_size: int
    average: float
    eval_batches: int
    eval_batch_size: int

    def __post_init__(self) -> None:
        limits.at_least(self, samples=1)

    def check(self, pairs: Pairs) -> None:
        """Build what would read them.

        Raises ValueError for settings that do not fit one another or the pairs.
        """
        estimation = self._estimation(pairs, 0)
        if isinstance(self.estimator, Estimator):
            estimation.task()

    def read(self, pairs: Pairs, seed: int, *names: object) -> SampleEstimate:
        """The estimate in nats, with randomness of its own for these names.

        Raises RunFailed if it is not finite.
        """
        if not isinstance(self.estimator, Estimator):
            return self.estimator(*pairs.each(self.samples, generator(pairs.device, seed, *names)))
        estimation = self._estimation(pairs, stream(seed, *names))
        task: CriticTraining = estimation.task()
        trained = Loop(task, estimation.cadence, InMemory()).run()
        reading = task.read(trained.steps)
        return SampleEstimate(reading.mean, reading.error.value)

    def _estimation(self, pairs: Pairs, seed: int) -> Estimate:
        never: Any = {
            "log_every": self.steps,
            "eval_every": self.steps,
            "checkpoint_every": self.steps,
        }
        return Estimate(
            dataset=pairs,
            critic=self.critic,
            estimator=self.estimator,
            optimizer=self.optimizer,
            steps=self.steps,
            batch_size=self.batch_size,
            train_rows=None,
            average=self.average,
            eval_batches=self.eval_batches,
            eval_batch_size=self.eval_batch_size,
            patience=None,
            checkpoint_seconds=None,
            seed=seed,
            replicates=1,
            device=str(pairs.device),
            precision="fp32",
            compile=False,
            **never,
        )
