"""Staircase: critics are trained while the mutual information of their pairs increases in steps.

R copies, S steps, L levels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infobound.datasets.pairs.staircase import GaussianStaircase
from infobound.errors import SettingError
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.runners.critics import feeds
from infobound.runners.runs import plots
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.staircase.reading import sentence
from infobound.runners.staircase.task import Climbing
from infobound.runners.training.batches import FreshBatches
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Staircase(Runner[Climbing]):
    """Trains `replicates` critics through all levels of `dataset`, and reads each batch of fresh
    pairs before training on it.

    Bias, variance and mean squared error of a level are those of its last `window` values, each an
    estimate from a single batch with averaged weights. The values are held out, because the weights
    have not seen the batch. The estimate of the run is that of the last level, and `mse` is the
    mean over all levels.

    Poole et al. 2019, https://arxiv.org/abs/1905.06922; Song and Ermon 2020,
    https://arxiv.org/abs/1910.06222
    """

    dataset: GaussianStaircase
    critic: Critics | None
    estimator: Estimator | SampleEstimator
    window: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, GaussianStaircase):
            raise SettingError(
                "dataset",
                "must be a staircase",
                type(self.dataset).__name__,
                "use dataset=staircase",
            )
        _ = self._trained
        if self.estimator.kind == "loss":
            raise SettingError(
                "estimator",
                "must give nats",
                f"{type(self.estimator).__name__}, a loss",
                "use estimator=infonce",
            )
        if self.optimisation.steps is not None:
            raise SettingError(
                "steps",
                "must be null for a staircase, whose levels have dataset.steps steps each",
                self.optimisation.steps,
                "use dataset.steps",
            )
        if not 2 <= self.window <= self.dataset.steps:
            raise SettingError(
                "window",
                f"must be at least 2 and at most a level's {self.dataset.steps} steps",
                self.window,
            )

    @property
    def steps(self) -> int:
        """The number of steps of all levels."""
        return self.dataset.steps * len(self.dataset.levels)

    @property
    def score(self) -> str:
        return "mse"

    def sentence(self, metrics: Written) -> str:
        return sentence(metrics["levels"])

    def figures(self, task: Climbing, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        truths = [nats for nats in self.dataset.levels for _ in range(self.dataset.steps)]
        yield "staircase", plots.staircase(task.values[0, :step], truths, task.cap)

    def task(self) -> Climbing:
        critic, estimator = self._trained
        execution, size = self.execution, self.optimisation.batch_size
        batches = FreshBatches(
            self.dataset.at,
            batch_size=size,
            seed=execution.seed,
            replicates=execution.replicates,
            device=execution.place,
        )
        ensemble = execution.ensemble(
            lambda index: Measurement.of(critic, estimator, *batches.look(index)),
            average=self.optimisation.average,
        )
        first = self.dataset.at(0)
        zeros = feeds.zeros(execution.replicates, size, first.dim_x, first.dim_y, execution.place)
        critics = self.optimisation.player(ensemble, steps=self.steps)
        dataset = self.dataset
        return Climbing(batches, critics, zeros, dataset.levels, dataset.steps, self.window)

    @property
    def _trained(self) -> tuple[Critics, Estimator]:
        """The critic with the estimator that trains it."""
        if not isinstance(self.estimator, Estimator) or self.critic is None:
            raise SettingError(
                "estimator",
                "must be one that trains a critic",
                f"{type(self.estimator).__name__} without one",
            )
        return self.critic, self.estimator
