"""Estimates of the information in pairs from a network, each with a fresh critic."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.estimators.base import Estimator, SampleEstimate, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.runners.estimate.by_critic import ByCritic
from infobound.runners.estimate.evaluation import Evaluation
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs.records import InMemory
from infobound.runners.training import limits
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.settings import Cadence, Execution, Optimisation


class Pairs(Joint, Protocol):
    """A distribution of pairs on a device."""

    @property
    def device(self) -> torch.device: ...

    def each(self, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The rows x (N, dim_x) and y (N, dim_y) for estimators without a critic, with several
        noise samples for each input.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FreshEstimates:
    """An estimator without a critic reads rows with `samples` noise samples for each input, if the
    inputs are known.

    For other estimators, a fresh critic is trained for `steps` steps on fresh pairs, and read with
    a moving average of its weights (decay `average`) on `eval_batches` further batches of
    `eval_batch_size` pairs.
    """

    estimator: Estimator | SampleEstimator
    critic: Critics | None
    optimisation: Optimisation
    samples: int
    eval_batches: int
    eval_batch_size: int

    def __post_init__(self) -> None:
        limits.at_least(self, samples=1)

    def check(self, pairs: Pairs) -> None:
        """Build the estimates.

        Raises ValueError for settings that do not fit together or do not fit the pairs.
        """
        way = self._estimate(pairs, 0).way
        if isinstance(way, ByCritic):
            way.task()

    def read(self, pairs: Pairs, seed: int, *names: object) -> SampleEstimate:
        """The estimate in nats, with its own random streams for these names.

        Raises RunFailed if it is not finite.
        """
        if not isinstance(self.estimator, Estimator):
            return self.estimator(*pairs.each(self.samples, generator(pairs.device, seed, *names)))
        reading = self._estimate(pairs, stream(seed, *names)).measuring()(InMemory()).reading
        return SampleEstimate(reading.mean, reading.error.value)

    def _estimate(self, pairs: Pairs, seed: int) -> Estimate:
        end = self.optimisation.steps or 1
        return Estimate(
            dataset=pairs,
            critic=self.critic,
            estimator=self.estimator,
            optimisation=self.optimisation,
            cadence=Cadence(log_every=end, eval_every=None, checkpoint_every=end),
            execution=Execution(seed=seed, device=str(pairs.device)),
            evaluation=Evaluation(
                eval_batches=self.eval_batches, eval_batch_size=self.eval_batch_size
            ),
        )
