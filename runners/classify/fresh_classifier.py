"""A fresh classifier, trained from scratch on given rows and tested on others.

N rows.
"""

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from infobound.datasets.images.labelled import Labelled
from infobound.errors import SettingError
from infobound.models.classifiers.mlp_classifier import MLPClassifier
from infobound.models.noise.interface import Noiseless
from infobound.runners.classify.runner import Classify
from infobound.runners.classify.settings import Descent
from infobound.runners.runs.records import InMemory
from infobound.runners.training import limits
from infobound.runners.training.settings import Cadence, Execution, Optimisation

LEAST = 4
"""Minimum number of steps, so that the learning rate drops twice."""


@dataclass(frozen=True, kw_only=True)
class FreshClassifier:
    """A classifier with one hidden layer of `width` units, trained with a learning rate that drops
    to a third after half of the steps and again after three quarters.

    Raises ValueError for values out of range.
    """

    width: int
    optimisation: Optimisation

    def __post_init__(self) -> None:
        limits.at_least(self, width=1)
        _ = self._steps

    def test(self, train: Labelled, test: Labelled, classes: int, seed: int) -> dict[str, float]:
        """Train a classifier on the training rows; return its cross-entropy in nats and its error
        on test rows (N, D).
        """
        steps = self._steps
        model = partial(
            MLPClassifier,
            hidden=[],
            bottleneck=self.width,
            activation="ReLU",
            additive=0.0,
            propagated=0,
            noise=Noiseless,
        )
        classify = Classify(
            dataset=Released(train, test, classes),
            model=model,
            optimisation=self.optimisation,
            cadence=Cadence(log_every=steps, eval_every=None, checkpoint_every=steps),
            execution=Execution(seed=seed, device=str(train.images.device)),
            descent=Descent(drops=[steps // 2, steps * 3 // 4], drop=1 / 3),
        )
        metrics = classify.prepare()(InMemory()).metrics
        return {name: metrics[name] for name in ("cross_entropy", "error")}

    @property
    def _steps(self) -> int:
        steps = self.optimisation.steps
        if steps is None or steps < LEAST:
            raise SettingError("steps", f"must be at least {LEAST}", steps)
        return steps


@dataclass(frozen=True, eq=False)
class Released:
    """Training and test rows as Classified, unchanged."""

    train_images: Labelled
    test_images: Labelled
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.train_images.images.shape[1:])

    @property
    def validation_images(self) -> Labelled:
        return Labelled(*(part[:0] for part in self.train_images))

    def seen(self, images: Tensor, generator: object) -> Tensor:
        return images
