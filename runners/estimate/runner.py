"""Estimate mutual information by a critic, from rows without a critic, or by loaded critics."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infobound.datasets.interfaces import Joint, Rows
from infobound.errors import SettingError
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.runners.estimate.by_critic import ByCritic
from infobound.runners.estimate.by_rows import ByRows
from infobound.runners.estimate.evaluation import Evaluation
from infobound.runners.estimate.loaded import Loaded
from infobound.runners.estimate.measured import Measure
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training.settings import Cadence, Execution, Optimisation, Settings

Way = ByCritic | ByRows | Loaded


@dataclass(frozen=True, kw_only=True)
class Estimate(Settings):
    """I(X;Y) of the pairs of `dataset` in nats, read on pairs that no critic was trained on.

    An estimator with a critic trains it; one of rows trains nothing. With `load`, the folder of a
    completed run, that run's critics read all rows of the data set.

    Raises ValueError for parts that do not fit together.
    """

    dataset: Joint | Rows
    critic: Critics | None
    estimator: Estimator | SampleEstimator
    optimisation: Optimisation
    cadence: Cadence
    execution: Execution
    evaluation: Evaluation
    load: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Joint | Rows):
            raise SettingError(
                "dataset",
                "must be a distribution of pairs or a table of rows",
                type(self.dataset).__name__,
            )
        if self.estimator.kind == "loss":
            raise SettingError(
                "estimator",
                "must give nats",
                f"{type(self.estimator).__name__}, a loss",
                "use estimator=infonce",
            )
        _ = self.way

    @property
    def way(self) -> Way:
        """The way of estimating with these settings."""
        if not isinstance(self.estimator, Estimator):
            return self._by_rows(self.estimator)
        if self.critic is None:
            raise SettingError(
                "critic", "must be one that gives scores", "none", "use critic=separable"
            )
        if self.load is not None:
            return self._loaded(self.load, self.critic, self.estimator)
        return ByCritic(
            dataset=self.dataset,
            critic=self.critic,
            estimator=self.estimator,
            optimisation=self.optimisation,
            cadence=self.cadence,
            execution=self.execution,
            evaluation=self.evaluation,
        )

    def prepare(self) -> Callable[[Record], Outcome]:
        """Read the data, build the networks and try them on a batch of zeros.

        Raises ValueError or OSError if settings or data are wrong.
        """
        measure = self.measuring()
        return lambda record: measure(record).outcome

    def measuring(self) -> Measure:
        """Prepare an estimate that gives more than an outcome."""
        return self.way.measuring()

    def _by_rows(self, estimator: SampleEstimator) -> ByRows:
        name = type(estimator).__name__
        if self.critic is not None:
            raise SettingError(
                "critic", f"must be none for {name}, which trains nothing", remedy="use critic=none"
            )
        if self.load is not None:
            raise SettingError("load", f"must be null for {name}, which trains nothing", self.load)
        return ByRows(
            dataset=self.dataset,
            estimator=estimator,
            evaluation=self.evaluation,
            execution=self.execution,
        )

    def _loaded(self, load: str, critic: Critics, estimator: Estimator) -> Loaded:
        if isinstance(self.dataset, Joint):
            raise SettingError(
                "load",
                "reads the rows of a table",
                type(self.dataset).__name__,
                "use dataset=arrays",
            )
        return Loaded(
            load=Path(load),
            dataset=self.dataset,
            critic=critic,
            estimator=estimator,
            average=self.optimisation.average,
            evaluation=self.evaluation,
            execution=self.execution,
        )
