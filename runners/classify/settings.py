"""The settings of training and testing classifiers, each with its own checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from infobound.errors import SettingError
from infobound.runners.training import limits
from infobound.runners.training.label_loss import LabelLoss
from infobound.runners.training.schedule import Drops
from infobound.runners.training.settings import Settings
from infobound.runners.training.taking_over import Start


@dataclass(frozen=True, kw_only=True)
class Descent(Settings):
    """The loss of classifiers on labels, and the drops of the learning rate.

    `label_smoothing` smooths labels, and `confidence_penalty` rewards the prediction's entropy. The
    learning rate is multiplied by `drop` after each of the steps `drops`, or after every `drops`
    steps.

    Raises ValueError for values out of range.
    """

    label_smoothing: float = 0.0
    confidence_penalty: float = 0.0
    drops: Sequence[int] | int = ()
    drop: float = 0.1

    def __post_init__(self) -> None:
        _ = self.loss, self.rate

    @property
    def loss(self) -> LabelLoss:
        return LabelLoss(self.label_smoothing, self.confidence_penalty)

    @property
    def rate(self) -> Drops:
        return Drops(self.drops, self.drop)


@dataclass(frozen=True, kw_only=True)
class Testing(Settings):
    """The tests of trained classifiers on test images.

    `weights` chooses the last weights, or the best on validation images. The noise of each image is
    drawn `samples` times; 0 means no noise. `heat_maps` is the number of images drawn with the
    places from which the noise layers get their information, and `total_correlation` measures the
    dependence among the numbers of the representation.

    Raises ValueError for values out of range.
    """

    weights: Literal["last", "best"] = "last"
    samples: int = 0
    heat_maps: int = 0
    total_correlation: bool = False

    def __post_init__(self) -> None:
        limits.at_least(self, samples=0, heat_maps=0)


@dataclass(frozen=True, kw_only=True)
class Further(Start):
    """With `train_on`, loaded networks are trained further, from the weights that their run tested
    and with a new optimiser.

    Raises ValueError for `train_on` without `load`.
    """

    train_on: bool = False

    def __post_init__(self) -> None:
        if self.train_on and self.load is None:
            raise SettingError(
                "train_on", "must be false if nothing is loaded", "true", "give runner.load"
            )

    @property
    def trains(self) -> bool:
        """Whether anything is trained."""
        return self.load is None or self.train_on
