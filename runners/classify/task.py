"""The task of training classifiers, R at once.

R copies, B batch.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from infobound.datasets.interfaces import Classified, Examples
from infobound.errors import SettingError
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.classify.reading import ClassifierReader
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.runs.metrics import Metrics, Quantity
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.early_stopping import EarlyStopping
from infobound.runners.training.ensemble import Weights
from infobound.runners.training.label_loss import LabelLoss
from infobound.runners.training.player import Player
from infobound.runners.training.taking_over import other_networks
from infobound.runners.training.task import Stateful, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ImagesWithLabels:
    """Labelled images as Views: flat images paired with labels."""

    def __init__(self, dataset: Classified) -> None:
        self._dataset, (images, labels) = dataset, dataset.train_images
        self._shape = images.shape[1:]
        self.train_examples = Examples(images.flatten(1), labels[:, None], labels)
        self.test_examples = self.train_examples._replace(
            x=images[:0], y=labels[:0, None], labels=labels[:0]
        )

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The inputs of images x (N, D), and their labels (N,)."""
        return self._dataset.seen(x.unflatten(1, self._shape), generator), y[:, 0]


class Classification(Task):
    """Classifiers minimise the loss of a batch plus their regularisation; then the regularizer's
    own networks take their steps.

    `weights` chooses the weights for the final reading: the last, or those with the smallest error
    on validation images. Loaded networks of an earlier run are read, or with `train_on` trained
    further.
    """

    def __init__(
        self,
        batches: SeenBatches,
        classifiers: Player,
        loss: LabelLoss,
        regularisation: Regularisation | None,
        reader: ClassifierReader,
        weights: Literal["last", "best"],
        *,
        train_on: bool = False,
    ) -> None:
        self.batches, self.classifiers, self.regularisation = batches, classifiers, regularisation
        self._loss, self._reader, self._train_on = loss, reader, train_on
        current = classifiers.networks.weights()
        self._best = EarlyStopping(current, patience=None) if weights == "best" else None
        self.drawn: Mapping[str, Figure] = {}
        """Figures of the test images by name, available after read()."""
        parts: dict[str, Stateful] = {"batches": batches, "classifiers": classifiers}
        parts |= {"regularisation": regularisation} if regularisation is not None else {}
        self.parts = parts | ({"best": self._best} if self._best is not None else {})
        self.read_again = ["classifiers"]
        self.merit = _merit if reader.validates else None

    def step(self) -> dict[str, Tensor]:
        x, labels = self.batches.draw()
        logits, *made = self.classifiers(x)
        loss, regularisation = self._loss(logits, labels), self.regularisation
        told = {"loss": loss.detach()}
        if regularisation is None or not regularisation.active(self.classifiers.networks.steps):
            self.classifiers.descend(loss)
            return told
        told |= regularisation.lead(self.classifiers, loss, exposed_by(x, made))
        regularisation.fit(self._fresh)
        return told

    def evaluate(self, step: int) -> dict[str, Quantity]:
        networks = self.classifiers.networks
        found = self._reader.validate(networks, step)
        if self._best is not None:
            self._best.see([-error for error in found["error"].copies], networks.weights())
        return found

    def read(self, step: int) -> Mapping[str, Quantity]:
        networks, weights = self.classifiers.networks, self._read_weights
        found = self._reader.test(networks, weights, self.regularisation)
        self.drawn = found.figures
        return found.quantities

    def take_over(self, run: TrainedRun) -> None:
        """Load the end of a completed run, or, to train further, start before the first step with
        the weights that it tested.

        Raises ValueError if the networks differ.
        """
        super().take_over(run)
        networks, train_on = self.classifiers.networks, self._train_on
        if (critic := self.regularisation) is not None:
            known = "regularisation" in run.state and critic.take_over(run.state["regularisation"])
            if critic.reads and not known and not train_on:
                raise other_networks(run)
        if self._best is not None and "best" in run.state:
            self._best.load(run.state["best"])
        elif self._best is not None and not train_on:
            raise SettingError(
                "weights", f"must be last for {run.path}, which has no best weights", "best"
            )
        if train_on:
            networks.begin(self._read_weights if "best" in run.state else networks.weights())
            if self._best is not None:
                self._best.begin(networks.weights())

    @property
    def _read_weights(self) -> Weights:
        return self.classifiers.networks.weights() if self._best is None else self._best.best

    def _fresh(self) -> Exposed:
        """The tensors that the classifiers expose for a new batch."""
        x, _ = self.batches.draw()
        return exposed_by(x, self.classifiers(x)[1:])


def _merit(found: Metrics) -> float:
    """The accuracy on validation images."""
    error = found["error"]
    return -error.value if isinstance(error, Quantity) else 0.0


def exposed_by(x: Tensor, made: list[Tensor] | tuple[Tensor, ...]) -> Exposed:
    """The tensors that a classifier exposes for images x (..., B, *shape): their representation
    and, if it has noise layers, its rates.
    """
    representation, *rates = made
    return expose(
        input=x.flatten(representation.ndim - 1),
        representation=representation,
        rate=rates[0].sum(-1) if rates else None,
    )
