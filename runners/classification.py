"""The task of training classifiers, R at once.

R copies, B batch.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from datasets.interfaces import Classified, Examples
from runners.batches import SeenBatches
from runners.classifier_reading import ClassifierReader
from runners.early_stopping import EarlyStopping
from runners.label_loss import LabelLoss
from runners.player import Player
from runners.regularisation import Regularisation, Rows


class ImagesWithLabels:
    """Classified images as Views: flat ones, and their labels."""

    def __init__(self, dataset: Classified) -> None:
        self._dataset, (images, labels) = dataset, dataset.train_images
        self._shape = images.shape[1:]
        self.train_examples = Examples(images.flatten(1), labels[:, None], labels)
        self.test_examples = self.train_examples._replace(x=images[:0], y=labels[:0, None], labels=labels[:0])

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is seen of images x (N, D), and their labels (N,)."""
        return self._dataset.seen(x.unflatten(1, self._shape), generator), y[:, 0]


class Classification:
    """A Task: classifiers descend the loss of a batch and their regularisation, whose own networks take their steps after.

    `weights` says which are read in the end: the last, or those of the least error on validation images.
    """

    def __init__(
        self,
        batches: SeenBatches,
        classifiers: Player,
        loss: LabelLoss,
        regularisation: Regularisation | None,
        reader: ClassifierReader,
        weights: Literal["last", "best"],
    ) -> None:
        self._batches, self._classifiers, self._loss = batches, classifiers, loss
        self._regularisation, self._reader = regularisation, reader
        self._best = EarlyStopping(classifiers.networks.weights(), patience=None) if weights == "best" else None

    def step(self) -> Mapping[str, Tensor]:
        x, labels = self._batches.draw()
        logits, *made = self._classifiers(x)
        loss, regularisation = self._loss(logits, labels), self._regularisation
        told = {"loss": loss.detach()}
        if regularisation is None or not regularisation.active(self._classifiers.networks.steps):
            self._classifiers.descend(loss)
            return told
        told |= regularisation.lead(self._classifiers, loss, exposed(x, made))
        regularisation.fit(self._fresh)
        return told

    def evaluate(self, step: int) -> dict[str, Any]:
        networks = self._classifiers.networks
        found = self._reader.validate(networks, step)
        if self._best is not None:
            self._best.see([-error for error in found["error_replicates"]], networks.weights())
        return found

    def finished(self) -> bool:
        return False

    def read(self) -> dict[str, Any]:
        """The metrics of result.json."""
        networks = self._classifiers.networks
        weights = networks.weights() if self._best is None else self._best.best
        return self._reader.test(networks, weights, self._regularisation)

    def state(self) -> dict[str, Any]:
        return {name: part.state() for name, part in self._parts.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        """All that has a state."""
        parts = {"batches": self._batches, "classifiers": self._classifiers}
        others = {"regularisation": self._regularisation, "best": self._best}
        return parts | {name: part for name, part in others.items() if part is not None}

    def _fresh(self) -> Rows:
        """What the classifiers expose of a new batch."""
        x, _ = self._batches.draw()
        return exposed(x, self._classifiers(x)[1:])


def exposed(x: Tensor, made: list[Tensor] | tuple[Tensor, ...]) -> Rows:
    """What a penalty may ask for: images x (..., B, *shape) flat, and what else a classifier puts out of them."""
    batch = made[0].ndim - 1
    return {"input": x.flatten(batch), **dict(zip(("representation", "rate"), made, strict=False))}
