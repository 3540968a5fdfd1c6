"""The objective of encoders of two views."""

from dataclasses import dataclass

from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.runners.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Aim(Settings):
    """Encoders and their critic together maximise the estimate I, or with a `target` t in nats
    minimise |I - t|.

    Raises ValueError for parts that do not fit together.
    """

    critic: Critics | None
    estimator: Estimator | SampleEstimator
    target: float | None

    def __post_init__(self) -> None:
        _, estimator = self.trained
        name = type(estimator).__name__
        if estimator.scores == "log density":
            raise SettingError(
                "estimator",
                "must have one objective for critics and encoders",
                name,
                "use estimator=infonce",
            )
        if self.target is not None and estimator.kind == "loss":
            raise SettingError(
                "target", f"must be null for {name}, a loss that is not in nats", self.target
            )

    @property
    def trained(self) -> tuple[Critics, Estimator]:
        """The critic with the estimator that trains it."""
        if not isinstance(self.estimator, Estimator) or self.critic is None:
            raise SettingError(
                "estimator",
                "must be one that trains a critic",
                f"{type(self.estimator).__name__} without one",
                "use estimator=infonce",
            )
        return self.critic, self.estimator

    def loss(self, bound: Bound) -> Tensor:
        """The loss of encoders and critic."""
        if self.target is None:
            return -bound.objective
        return (bound.objective - self.target).abs()
