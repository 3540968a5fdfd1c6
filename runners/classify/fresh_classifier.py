"""How well a classifier that knows nothing beforehand tells labels from rows that it is given.

N rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from infobound.datasets.images.labelled import Labelled
from infobound.models.classifiers.mlp_classifier import MLPClassifier
from infobound.models.noise.interface import Noiseless
from infobound.runners.classify.runner import Classify
from infobound.runners.runs.records import InMemory
from infobound.runners.training import limits
from infobound.runners.training.loop import Loop


@dataclass(frozen=True, kw_only=True)
class FreshClassifier:
    """One hidden layer of `width` units, trained for `steps` steps by a learning rate that drops to
    a third after half of them and again after three quarters.

    Raises ValueError for values out of range.
    """

    width: int
    steps: int
    batch_size: int
    optimizer: Callable[[list[Any]], Optimizer]

    def __post_init__(self) -> None:
        limits.at_least(self, width=1, steps=4, batch_size=2)

    def test(self, train: Labelled, test: Labelled, classes: int, seed: int) -> dict[str, float]:
        """Cross-entropy in nats and error on test rows (N, D) of a classifier of the training
        rows.
        """
        classify = self._classify(train, test, classes, seed)
        task = classify.task(train.images.device)
        Loop(task, classify.cadence, InMemory()).run()
        metrics = task.read(lambda *_: None)
        return {name: metrics[name] for name in ("cross_entropy", "error")}

    def _classify(self, train: Labelled, test: Labelled, classes: int, seed: int) -> Classify:
        settings: dict[str, Any] = {
            "hidden": [],
            "activation": "ReLU",
            "additive": 0.0,
            "propagated": 0,
            "noise": Noiseless,
        }
        return Classify(
            dataset=Released(train, test, classes),
            model=partial(MLPClassifier, bottleneck=self.width, **settings),
            regularizer=None,
            optimizer=self.optimizer,
            label_smoothing=0.0,
            confidence_penalty=0.0,
            steps=self.steps,
            batch_size=self.batch_size,
            average=0.0,
            warmup=0,
            drops=[self.steps // 2, self.steps * 3 // 4],
            drop=1 / 3,
            weights="last",
            samples=0,
            heat_maps=0,
            total_correlation=False,
            load=None,
            train_on=False,
            log_every=self.steps,
            eval_every=self.steps,
            checkpoint_every=self.steps,
            checkpoint_seconds=None,
            seed=seed,
            replicates=1,
            device=str(train.images.device),
            precision="fp32",
            compile=False,
        )


@dataclass(frozen=True, eq=False)
class Released:
    """Classified: rows as a classifier is given them, training and test ones."""

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
