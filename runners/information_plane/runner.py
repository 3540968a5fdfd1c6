"""The information plane: the information of every layer about the input and about the label, during
the training of a classifier.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from infobound.datasets.interfaces import Classified
from infobound.errors import SettingError
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.runners.classify.task import ImagesWithLabels
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.information_plane import figures as plane_figures
from infobound.runners.information_plane.reading import (
    REFERENCE,
    PlaneReader,
    Side,
    information,
    layers_of,
)
from infobound.runners.information_plane.settings import Course
from infobound.runners.information_plane.task import PlaneTraining
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.randomness import stream
from infobound.runners.training.runner import Runner
from infobound.runners.training.settings import Cadence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LayeredNetworks = Callable[[Sequence[int], int], LayeredMLP]
"""Creates a network for the shape of an example and a number of classes."""


@dataclass(frozen=True, kw_only=True)
class InformationPlane(Runner[PlaneTraining]):
    """Trains `replicates` networks with cross-entropy, and reads I(X; T) and I(Y; T) for all layers
    T during training.

    X is one of the `inputs` of the data set, all or the held-out ones, each equally likely.
    `epochs` and `readings` determine the number of steps and the readings, so `steps` and
    `eval_every` must be None.

    A layer without noise determines X, so its information is log N nats at full precision, whatever
    was learned. A smaller value depends on the resolution. With `model.noise`, which is part of the
    network in training and in readings, the layers are a Markov chain, and no layer has more
    information than an earlier one. With bins of a layer without noise, this need not hold.
    `dpi_violation` is the largest excess of any layer of any copy over an earlier one, for both
    informations, in nats; `dpi_violation_errors` is the largest in standard errors of the
    difference, where two or three are usual by chance if many layers have the same information.

    With noise and `paths` above 0, values from the densities of the layers
    (layer_pairs.by_densities) are also read, as `_reference`.

    Shwartz-Ziv and Tishby 2017, https://arxiv.org/abs/1703.00810; that I(X; T) falls again in
    training depends on the activation and on the bins, Saxe et al. 2018,
    https://openreview.net/forum?id=ry_WPG-A-

    Raises ValueError if a setting is wrong.
    """

    dataset: Classified
    model: LayeredNetworks | None
    estimates: FreshEstimates
    course: Course
    inputs: Literal["all", "test"]
    paths: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Classified):
            name = type(self.dataset).__name__
            raise SettingError(
                "dataset", "must have labelled examples", name, "use dataset=bit_patterns"
            )
        _ = self._made
        for name, given, instead in (
            ("steps", self.optimisation.steps, "epochs"),
            ("eval_every", self.cadence.eval_every, "readings"),
        ):
            if given is not None:
                raise SettingError(
                    name, "must be null for an information plane", given, f"use runner.{instead}"
                )
        limits.at_least(self, paths=0)
        if self.paths:
            limits.at_least(self.estimates, samples=2)

    @property
    def epoch(self) -> int:
        """The number of steps of an epoch, which drops an incomplete last batch."""
        return max(1, len(self.dataset.train_images.labels) // self.optimisation.batch_size)

    @property
    def steps(self) -> int:
        """The number of steps of all epochs."""
        return self.course.epochs * self.epoch

    @property
    def pace(self) -> Cadence:
        """The cadence, with a possible reading after every epoch."""
        return dataclasses.replace(self.cadence, eval_every=self.epoch)

    @property
    def score(self) -> str:
        """The information of the last layer about the label."""
        with torch.device("meta"):  # without weights, so no random numbers are drawn
            network = self._made(self.dataset.shape, self.dataset.classes)
        return information("label", len(network.layers) + 1)

    def sentence(self, metrics: Written) -> str:
        return sentence(metrics)

    def figures(
        self, task: PlaneTraining, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        return plane_figures.figures(record.history())

    def task(self) -> PlaneTraining:
        model, dataset, execution = self._made, self.dataset, self.execution
        size, device = self.optimisation.batch_size, execution.place
        batches = SeenBatches(
            ImagesWithLabels(dataset),
            batch_size=size,
            seed=execution.seed,
            replicates=execution.replicates,
            device=device,
        )
        networks = execution.ensemble(
            lambda _: model(dataset.shape, dataset.classes),
            seed=stream(execution.seed, "classifier"),
            average=self.optimisation.average,
        )
        networks.check(torch.zeros(execution.replicates, size, *dataset.shape, device=device))
        player = self.optimisation.player(networks, steps=self.steps)
        reader = PlaneReader(
            dataset, self.inputs, self.estimates, self.paths, execution.seed, device
        )
        reader.check(networks)
        due = {epoch * self.epoch: epoch for epoch in self.course.due}
        return PlaneTraining(batches, player, reader, due)

    @property
    def _made(self) -> LayeredNetworks:
        """The function that creates a network."""
        kind = getattr(self.model, "func", type(self.model))
        if self.model is None or kind is not LayeredMLP:
            name = "none" if self.model is None else getattr(kind, "__name__", str(kind))
            raise SettingError(
                "model",
                "must be a network that returns its layers",
                name,
                "use model=layered_mlp",
            )
        return self.model


def sentence(metrics: Written) -> str:
    """The outcome in a few lines: the information of each layer about the input, and about the
    label.
    """
    lines = [
        f"error {metrics['error']:.2%}; layers exceed earlier ones by at most"
        f" {metrics['dpi_violation']:.3f} nats"
    ]
    sides: Sequence[tuple[Side, str]] = (("input", "X"), ("label", "Y"))
    for by, words in (("", ""), (REFERENCE, " by densities")):
        if not (layers := layers_of(metrics, by)):
            continue
        for side, letter in sides:
            values = "  ".join(f"{metrics[information(side, each, by)]:.3f}" for each in layers)
            lines.append(f"I({letter};T) from the first layer to the last{words}: {values} nats")
    return "\n".join(lines)
