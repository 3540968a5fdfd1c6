"""Classify: image classifiers whose representation should contain no more information about the
image than the label needs.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from infobound.datasets.interfaces import Classified, Disturbed
from infobound.errors import SettingError
from infobound.models.classifiers.interface import Classifier
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed
from infobound.runners.classify.information_maps import InformationMaps
from infobound.runners.classify.nuisance import NuisanceProbe
from infobound.runners.classify.reading import Analysis, ClassifierReader, set_noise
from infobound.runners.classify.settings import Descent, Further, Testing
from infobound.runners.classify.task import Classification, ImagesWithLabels, exposed_by
from infobound.runners.classify.total_correlation import RepresentationCorrelation
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Classifiers = Callable[[Sequence[int], int], nn.Module]
"""Creates a classifier for the shape of an image and a number of classes."""


@dataclass(frozen=True, kw_only=True)
class Classify(Runner[Classification]):
    """Trains `replicates` classifiers `model` of the images of `dataset` with cross-entropy and a
    penalty, and tests them.

    The optimiser's weight decay does not apply to biases and normalisation gains.

    Raises ValueError if a setting is wrong.
    """

    dataset: Classified
    model: Classifiers | None
    regularizer: Regularizer | None = None
    descent: Descent = field(default_factory=Descent)
    testing: Testing = field(default_factory=Testing)
    start: Further = field(default_factory=Further)

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Classified):
            name = type(self.dataset).__name__
            raise SettingError("dataset", "must have labelled images", name, "use dataset=mnist")
        _ = self._made
        if self.testing.weights == "best" and not len(self.dataset.validation_images.labels):
            raise SettingError(
                "weights",
                "must be last without held-out validation images",
                "best",
                "use dataset.validation",
            )

    @property
    def score(self) -> str:
        return "error"

    def sentence(self, metrics: Written) -> str:
        return sentence(metrics)

    def figures(
        self, task: Classification, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        # importing Matplotlib takes a second, and refused runs do not need it
        from infobound.runners.classify import figures
        from infobound.runners.runs import plots

        names = {"error": "error"}
        history = record.history()
        if any(line["split"] == "validation" for line in history):  # not of a loaded run
            yield "error", plots.curves(history, names, "share of wrong predictions")
        if (figure := figures.rates_by_step(record.history())) is not None:
            yield "rates", figure

    def last_figures(
        self, task: Classification, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        return task.drawn.items()

    def task(self) -> Classification:
        execution, size = self.execution, self.optimisation.batch_size
        batches = SeenBatches(
            ImagesWithLabels(self.dataset),
            batch_size=size,
            seed=execution.seed,
            replicates=execution.replicates,
            device=execution.place,
        )
        classifiers = self._classifiers()
        x = torch.zeros(execution.replicates, size, *self.dataset.shape, device=execution.place)
        classifiers.networks.check(x)
        regularisation = self._regularisation(classifiers, batches)
        if regularisation is not None:
            regularisation.check(exposed_by(x, classifiers.read(x)[1:]))
        self._check_analyses(classifiers, batches)
        reader = ClassifierReader(
            self.dataset, self.testing.samples, self.analyses, execution.seed, execution.place
        )
        return Classification(
            batches,
            classifiers,
            self.descent.loss,
            regularisation,
            reader,
            self.testing.weights,
            train_on=self.start.train_on,
        )

    @property
    def analyses(self) -> list[Analysis]:
        """Further analyses of the trained classifiers."""
        count = self.testing.heat_maps
        maps: list[Analysis] = [InformationMaps(count)] if count else []
        correlation = [RepresentationCorrelation()] if self.testing.total_correlation else []
        nuisance = [NuisanceProbe(self.dataset)] if isinstance(self.dataset, Disturbed) else []
        return [*maps, *correlation, *nuisance]

    @torch.no_grad()
    def _check_analyses(self, classifiers: Player, batches: SeenBatches) -> None:
        module = classifiers.networks.copy(0).eval()
        source = generator(self.execution.place, self.execution.seed, 0, "look", "noise")
        for analysis in self.analyses:
            set_noise(module, source)
            analysis.check(module, batches.look(0)[0][: self.optimisation.batch_size])

    @property
    def _made(self) -> Classifiers:
        """The function that creates a classifier."""
        model = self.model
        if model is None or not makes_classifiers(model):
            name = "none" if model is None else getattr(model, "func", type(model)).__name__
            raise SettingError("model", "must be a classifier", name, "use model=mlp_classifier")
        return model

    def _classifiers(self) -> Player:
        model, shape, classes = self._made, self.dataset.shape, self.dataset.classes
        networks = self.execution.ensemble(
            lambda _: model(shape, classes),
            seed=stream(self.execution.seed, "classifier"),
            average=self.optimisation.average,
        )
        return self.optimisation.player(networks, drops=self.descent.rate, spared=True)

    def _regularisation(self, classifiers: Player, batches: SeenBatches) -> Regularisation | None:
        """The penalty's copies."""
        if self.regularizer is None:
            return None
        seed, device = self.execution.seed, self.execution.place

        @torch.no_grad()
        def rows(copy: int) -> Exposed:
            module, (x, _) = classifiers.networks.copy(copy).eval(), batches.look(copy)
            set_noise(module, generator(device, seed, copy, "look", "noise"))
            return exposed_by(x, module(x)[1:])

        critics = partial(self.execution.ensemble, seed=stream(seed, "critic"))
        return Regularisation(self.regularizer, rows, critics, self.steps)


def makes_classifiers(model: object) -> bool:
    """Whether it is callable and not a class of other networks."""
    kind = getattr(model, "func", model)
    return callable(model) and (not isinstance(kind, type) or issubclass(kind, Classifier))


def sentence(metrics: Written) -> str:
    """The outcome in one sentence, such as `error 1.21 ± 0.11 %; rate 16.2 nats (23.4 bits)`."""
    parts = [
        f"error {metrics['error']:.2%} ± {metrics['error_stderr']:.2%}, calibration error"
        f" {metrics['ece']:.3f}"
    ]
    if "rate" in metrics:
        parts.append(f"rate {metrics['rate']:.2f} nats ({metrics['rate_bits']:.2f} bits)")
    if "nuisance_error" in metrics:
        parts.append(
            f"nuisance error {metrics['nuisance_error']:.2%}, by chance"
            f" {metrics['nuisance_chance']:.2%}"
        )
    if "mi" in metrics:
        parts.append(
            f"I(X;Z) = {metrics['mi']:.2f} nats ({metrics['mi'] / math.log(2):.2f} bits) by the"
            " critic"
        )
    return "; ".join(parts)
