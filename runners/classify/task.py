"""The task of training classifiers, R at once.

R copies, B batch.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from infobound.datasets.interfaces import Classified, Examples
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.classify.reading import ClassifierReader, Draw
from infobound.runners.critics.reading import described
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.early_stopping import EarlyStopping
from infobound.runners.training.ensemble import Weights
from infobound.runners.training.label_loss import LabelLoss
from infobound.runners.training.player import Player


class ImagesWithLabels:
    """Classified images as Views: flat ones, and their labels."""

    def __init__(self, dataset: Classified) -> None:
        self._dataset, (images, labels) = dataset, dataset.train_images
        self._shape = images.shape[1:]
        self.train_examples = Examples(images.flatten(1), labels[:, None], labels)
        self.test_examples = self.train_examples._replace(
            x=images[:0], y=labels[:0, None], labels=labels[:0]
        )

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is seen of images x (N, D), and their labels (N,)."""
        return self._dataset.seen(x.unflatten(1, self._shape), generator), y[:, 0]


class Classification:
    """A Task: classifiers descend the loss of a batch and their regularisation, whose own networks
    take their steps after.

    `weights` says which are read in the end: the last, or those of the least error on validation
    images.
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
        self._best = (
            EarlyStopping(classifiers.networks.weights(), patience=None)
            if weights == "best"
            else None
        )
        self._model = described(classifiers.networks.copy(0))

    def step(self) -> Mapping[str, Tensor]:
        x, labels = self._batches.draw()
        logits, *made = self._classifiers(x)
        loss, regularisation = self._loss(logits, labels), self._regularisation
        told = {"loss": loss.detach()}
        if regularisation is None or not regularisation.active(self._classifiers.networks.steps):
            self._classifiers.descend(loss)
            return told
        told |= regularisation.lead(self._classifiers, loss, exposed_by(x, made))
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

    def read(self, draw: Draw) -> dict[str, Any]:
        """The metrics of result.json; the figures of their analyses are drawn."""
        return self._reader.test(
            self._classifiers.networks, self._read_weights, self._regularisation, draw
        )

    def take_over(self, run: TrainedRun, *, train_on: bool) -> None:
        """Stand where a completed run ended, or where it is to be trained on before the first step
        with the weights it tested.

        Raises ValueError unless these are its networks.
        """
        networks, saved = self._classifiers.networks, run.state["classifiers"]["networks"]
        if (copies := len(saved["noise"])) != networks.replicates:
            raise ValueError(
                f"replicates must be {copies}, as in {run.path}, got {networks.replicates}; use"
                f" replicates={copies}"
            )
        if run.state.get("model", self._model) != self._model or not networks.fits(saved):
            raise ValueError(
                f"load needs the model and the images of {run.path}; repeat beside runner.load"
                f" {run.settings}"
            )
        networks.load(saved)
        if (critic := self._regularisation) is not None:
            known = "regularisation" in run.state and critic.take_over(run.state["regularisation"])
            if critic.reads and not known and not train_on:
                raise ValueError(
                    f"load needs the regularizer of {run.path}; repeat beside runner.load"
                    f" {run.settings}"
                )
        if self._best is not None and "best" in run.state:
            self._best.load(run.state["best"])
        elif self._best is not None and not train_on:
            raise ValueError(
                f"weights must be last for {run.path}, which has kept no best ones, got best"
            )
        if train_on:
            networks.begin(self._read_weights if "best" in run.state else networks.weights())
            if self._best is not None:
                self._best = EarlyStopping(networks.weights(), patience=None)

    @property
    def _read_weights(self) -> Weights:
        return self._classifiers.networks.weights() if self._best is None else self._best.best

    def state(self) -> dict[str, Any]:
        return {"model": self._model, **{name: part.state() for name, part in self._parts.items()}}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        """All that has a state."""
        parts = {"batches": self._batches, "classifiers": self._classifiers}
        others = {"regularisation": self._regularisation, "best": self._best}
        return parts | {name: part for name, part in others.items() if part is not None}

    def _fresh(self) -> Exposed:
        """What the classifiers expose of a new batch."""
        x, _ = self._batches.draw()
        return exposed_by(x, self._classifiers(x)[1:])


def exposed_by(x: Tensor, made: list[Tensor] | tuple[Tensor, ...]) -> Exposed:
    """What a classifier of images x (..., B, *shape) exposes, which made a representation of them
    and, where it has layers of noise, their rates.
    """
    representation, *rates = made
    return expose(
        input=x.flatten(representation.ndim - 1),
        representation=representation,
        rate=rates[0].sum(-1) if rates else None,
    )
