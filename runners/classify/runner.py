"""Classify: classifiers of images whose representation is to tell no more of the image than the
label needs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from infobound.datasets.interfaces import Classified, Disturbed
from infobound.models.classifiers.interface import Classifier
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed
from infobound.runners.classify.information_maps import InformationMaps
from infobound.runners.classify.nuisance import NuisanceProbe
from infobound.runners.classify.reading import Analysis, ClassifierReader, sampled
from infobound.runners.classify.task import Classification, ImagesWithLabels, exposed_by
from infobound.runners.classify.total_correlation import RepresentationCorrelation
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.training import limits
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.devices import device_named
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.label_loss import LabelLoss
from infobound.runners.training.loop import Cadence, Loop, Trained
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.schedule import Drops, Schedule
from infobound.runners.training.settings import Training

Models = Callable[[Sequence[int], int], nn.Module]
"""Makes a classifier for the shape of an image and a number of classes."""


@dataclass(frozen=True, kw_only=True)
class Classify(Training):
    """Trains `replicates` classifiers `model` of the images of `dataset` by cross-entropy and a
    penalty, and tests them.

    Labels are smoothed by `label_smoothing`, and the prediction's entropy is rewarded by
    `confidence_penalty`. The learning rate is multiplied by `drop` after each of the steps `drops`,
    or after every so many. The optimiser's weight decay spares biases and the gains of
    normalisation. Tested are the last `weights`, or the best on validation images; with decay
    `average` they are moving averages. The noise of each test image is drawn `samples` times, 0
    being none. Of `heat_maps` test images it is drawn where the noise layers have their information
    from, and where `total_correlation` it is read how far the numbers of the representation depend
    on one another.

    With `load`, the folder of a completed run, that run's classifiers are tested and nothing is
    trained, or where `train_on` they are trained further from the weights that it tested, by a new
    optimiser.

    Raises ValueError for whatever is wrong with the settings.
    """

    dataset: Classified
    model: Models | None
    regularizer: Regularizer | None
    optimizer: Callable[[list[Any]], Optimizer]
    label_smoothing: float
    confidence_penalty: float
    steps: int
    average: float
    warmup: int
    drops: Sequence[int] | int
    drop: float
    weights: Literal["last", "best"]
    samples: int
    heat_maps: int
    total_correlation: bool
    load: str | None
    train_on: bool
    eval_every: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Classified):
            name = type(self.dataset).__name__
            raise ValueError(
                f"dataset must be one of images of classes, got {name}; use dataset=mnist"
            )
        if not makes_classifiers(self.model):
            name = (
                "none"
                if self.model is None
                else getattr(self.model, "func", type(self.model)).__name__
            )
            raise ValueError(f"model must be a classifier, got {name}; use model=mlp_classifier")
        super().__post_init__()
        limits.at_least(self, samples=0, heat_maps=0)
        limits.decay(self.average)
        if self.weights == "best" and not len(self.dataset.validation_images.labels):
            raise ValueError(
                "weights must be last where no images are held back to choose by, got best; use"
                " dataset.validation"
            )
        if self.train_on and self.load is None:
            raise ValueError(
                "train_on must be false where nothing is loaded, got true; give runner.load"
            )
        _ = self.cadence, self.loss, Drops(self.drops, self.drop)

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return self.paced(self.steps, self.eval_every)

    @property
    def loss(self) -> LabelLoss:
        """What is descended of labels."""
        return LabelLoss(self.label_smoothing, self.confidence_penalty)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build the networks and try them on a batch.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        cadence, task = self.cadence, self.task(device_named(self.device))
        if self.load is not None:
            task.take_over(
                TrainedRun.load(Path(self.load), "classifiers", ["classifiers"]),
                train_on=self.train_on,
            )

        def run(record: Record) -> Outcome:
            def draw(step: int) -> None:
                if (figure := figures.rates_by_step(record.history())) is not None:
                    record.figure("rates", figure, step)

            # Matplotlib takes a second to import, which a refused run need not wait for.
            from infobound.runners.classify import figures

            only_tested = self.load is not None and not self.train_on
            trained = Trained(0, 0.0) if only_tested else Loop(task, cadence, record, draw).run()
            metrics = task.read(lambda name, figure: record.figure(name, figure, trained.steps))
            record.write(
                trained.steps,
                "test",
                {name: each for name, each in metrics.items() if isinstance(each, float)},
            )
            draw(trained.steps)
            return Outcome(
                metrics, metrics["error"], sentence(metrics), trained.steps, trained.seconds
            )

        return run

    def task(self, device: torch.device) -> Classification:
        """The networks before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        batches = SeenBatches(
            ImagesWithLabels(self.dataset),
            batch_size=self.batch_size,
            seed=self.seed,
            replicates=self.replicates,
            device=device,
        )
        classifiers = self._classifiers(device)
        x = torch.zeros(self.replicates, self.batch_size, *self.dataset.shape, device=device)
        classifiers.networks.check(x)
        regularisation = self._regularisation(classifiers, batches, device)
        if regularisation is not None:
            regularisation.check(exposed_by(x, classifiers.read(x)[1:]))
        self._check_analyses(classifiers, batches, device)
        reader = ClassifierReader(self.dataset, self.samples, self.analyses, self.seed, device)
        return Classification(batches, classifiers, self.loss, regularisation, reader, self.weights)

    @property
    def analyses(self) -> list[Analysis]:
        """What more is read of the trained classifiers."""
        maps: list[Analysis] = [InformationMaps(self.heat_maps)] if self.heat_maps else []
        correlation = [RepresentationCorrelation()] if self.total_correlation else []
        return [
            *maps,
            *correlation,
            *([NuisanceProbe()] if isinstance(self.dataset, Disturbed) else []),
        ]

    @torch.no_grad()
    def _check_analyses(
        self, classifiers: Player, batches: SeenBatches, device: torch.device
    ) -> None:
        module, source = (
            classifiers.networks.copy(0).eval(),
            generator(device, self.seed, 0, "look", "noise"),
        )
        for analysis in self.analyses:
            sampled(module, source)
            analysis.check(module, batches.look(0)[0][: self.batch_size])

    def _classifiers(self, device: torch.device) -> Player:
        model = self.model
        assert model is not None, "checked by the constructor"
        shape, classes = self.dataset.shape, self.dataset.classes
        networks = self.ensemble(
            lambda _: model(shape, classes), stream(self.seed, "classifier"), device, self.average
        )
        optimizer = elementwise(self.optimizer([networks.parameters]))
        if optimizer.defaults.get("weight_decay"):
            optimizer = self.optimizer(networks.groups)
        return Player(
            networks,
            optimizer,
            Schedule(optimizer, self.warmup, None, Drops(self.drops, self.drop)),
        )

    def _regularisation(
        self, classifiers: Player, batches: SeenBatches, device: torch.device
    ) -> Regularisation | None:
        """The penalty's copies."""
        if self.regularizer is None:
            return None

        @torch.no_grad()
        def rows(copy: int) -> Exposed:
            module, (x, _) = classifiers.networks.copy(copy).eval(), batches.look(copy)
            sampled(module, generator(device, self.seed, copy, "look", "noise"))
            return exposed_by(x, module(x)[1:])

        critics = partial(self.ensemble, seed=stream(self.seed, "critic"), device=device)
        return Regularisation(self.regularizer, rows, critics, self.steps)


def makes_classifiers(model: object) -> bool:
    """Whether it can be called for a model, and is no class of other networks."""
    kind = getattr(model, "func", model)
    return callable(model) and (not isinstance(kind, type) or issubclass(kind, Classifier))


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it, such as `error 1.21 ± 0.11 %; rate 16.2 nats (23.4
    bits)`.
    """
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
