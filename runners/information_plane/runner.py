"""The information plane: what every layer of a classifier in training tells of its input, and what
of the label.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.datasets.interfaces import Classified
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.runners.classify.task import ImagesWithLabels
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.information_plane import figures as plane_plots
from infobound.runners.information_plane.reading import PlaneReader, network_of
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training import limits
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.devices import device_named
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.loop import Cadence, Loop
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import stream
from infobound.runners.training.readings import spread
from infobound.runners.training.schedule import Schedule
from infobound.runners.training.settings import Training

Models = Callable[[Sequence[int], int], nn.Module]
"""Makes a network for the shape of an example and a number of classes."""


@dataclass(frozen=True, kw_only=True)
class InformationPlane(Training):
    """Trains `replicates` networks by cross-entropy, and reads I(X; T) and I(Y; T) of all their
    layers T as training goes on.

    X is one of the `inputs` of the data set, all or the held-out ones, each equally likely; they
    are read before the first step, after the epochs `readings`, or so many that are spaced evenly
    by their logarithm, and after the last.

    A layer without noise that is read to the last digit tells all of X, log N nats, whatever was
    learnt. What it tells depends on the resolution: on `model.noise`, which is part of the network,
    in training and when read, so that the layers are a Markov chain and no layer has more
    information than one before it; or on bins of a layer without noise, which promise nothing of
    the kind. `dpi_violation` is the most by which any layer of any copy reads more than one before
    it, of both informations, in nats; and `dpi_violation_errors` in standard errors of the
    difference, of which two or three are usual by chance among so many pairs where layers have the
    same information.

    Beside the estimator's the values by the densities of the layers are read
    (layer_pairs.by_densities) where there is noise and `paths` is not 0: as `_reference`.

    Shwartz-Ziv and Tishby 2017, https://arxiv.org/abs/1703.00810; that I(X; T) falls again in
    training depends on the activation and on the bins, Saxe et al. 2018,
    https://openreview.net/forum?id=ry_WPG-A-

    Raises ValueError for whatever is wrong with the settings.
    """

    dataset: Classified
    model: Models | None
    optimizer: Callable[[list[Tensor]], Optimizer]
    estimates: FreshEstimates
    epochs: int
    readings: Sequence[int] | int
    inputs: Literal["all", "test"]
    paths: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Classified):
            name = type(self.dataset).__name__
            raise ValueError(
                f"dataset must be one of examples of classes, got {name}; use dataset=bit_patterns"
            )
        kind = getattr(self.model, "func", type(self.model))
        if kind is not LayeredMLP:
            name = "none" if self.model is None else getattr(kind, "__name__", str(kind))
            raise ValueError(
                f"model must be a network whose layers can be looked at, got {name}; use"
                " model=layered_mlp"
            )
        super().__post_init__()
        limits.at_least(self, epochs=1, paths=0)
        if self.paths:
            limits.at_least(self.estimates, samples=2)
        _ = self.cadence, self.due

    @property
    def due(self) -> frozenset[int]:
        """The epochs after which layers are read.

        Raises ValueError for epochs that there are not.
        """
        if isinstance(self.readings, int):
            if self.readings < 1:
                raise ValueError(
                    f"readings must be a positive number, or a list of epochs, got {self.readings}"
                )
            spaced = torch.logspace(0, math.log10(self.epochs), self.readings, dtype=torch.float64)
            return frozenset([0, *map(round, spaced.tolist()), self.epochs])
        if any(not 0 <= epoch <= self.epochs for epoch in self.readings):
            raise ValueError(
                f"readings must be epochs from 0 to {self.epochs}, got {[*self.readings]}"
            )
        return frozenset([0, *self.readings, self.epochs])

    @property
    def epoch(self) -> int:
        """The steps of an epoch, which has no batch of fewer examples."""
        return max(1, len(self.dataset.train_images.labels) // self.batch_size)

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        steps = self.epochs * self.epoch
        return self.paced(steps, self.epoch)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build the networks, and of each layer what reads it, and try them.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        cadence, task = self.cadence, self.task(device_named(self.device))

        def run(record: Record) -> Outcome:
            def draw(step: int) -> None:
                for name, figure in plane_plots.figures(record.history()):
                    record.figure(name, figure, step)

            trained = Loop(task, cadence, record, draw).run()
            metrics = self._metrics(
                [line for line in record.history() if line["split"] == "validation"]
            )
            draw(trained.steps)
            return Outcome(
                metrics, metrics[task.last], sentence(metrics), trained.steps, trained.seconds
            )

        return run

    def task(self, device: torch.device) -> "PlaneTraining":
        """The networks before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        model, dataset = self.model, self.dataset
        assert model is not None, "checked by the constructor"
        batches = SeenBatches(
            ImagesWithLabels(dataset),
            batch_size=self.batch_size,
            seed=self.seed,
            replicates=self.replicates,
            device=device,
        )
        networks = self.ensemble(
            lambda _: model(dataset.shape, dataset.classes), stream(self.seed, "classifier"), device
        )
        networks.check(torch.zeros(self.replicates, self.batch_size, *dataset.shape, device=device))
        optimizer = elementwise(self.optimizer([networks.parameters]))
        reader = PlaneReader(dataset, self.inputs, self.estimates, self.paths, self.seed, device)
        reader.check(networks)
        due = {epoch * self.epoch: epoch for epoch in self.due}
        return PlaneTraining(
            batches, Player(networks, optimizer, Schedule(optimizer, 0, None)), reader, due
        )

    def _metrics(self, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The last line, with standard errors of several copies from their spread; violations are
        the worst of all lines.
        """
        last = {name: value for name, value in lines[-1].items() if name not in ("step", "split")}
        worst = {
            name: max(line[name] for line in lines)
            for name in last
            if name.startswith("dpi") and name in lines[0]
        }
        if self.replicates > 1:
            last |= {
                name: spread(last[f"{name.removesuffix('_stderr')}_replicates"]).value
                for name in last
                if name.endswith("_stderr")
            }
        return (
            last
            | worst
            | {
                "stderr_of": (
                    "replicates" if self.replicates > 1 else "test rows by influence values"
                )
            }
        )


class PlaneTraining:
    """A Task: networks descend the cross-entropy of a batch, and are read after the steps `due`,
    each with its epoch.
    """

    def __init__(
        self, batches: SeenBatches, networks: Player, reader: PlaneReader, due: Mapping[int, int]
    ) -> None:
        self._batches, self._networks, self._reader, self._due = batches, networks, reader, due
        self.last = f"mi_label_{len(network_of(networks.networks, 0).layers) + 1}"
        """What the last layer tells of the label, by its name in the metrics."""

    def step(self) -> Mapping[str, Tensor]:
        x, labels = self._batches.draw()
        loss = cross_entropy(self._networks(x)[0].float().log_softmax(-1), labels)
        self._networks.descend(loss)
        return {"loss": loss.detach()}

    def evaluate(self, step: int) -> dict[str, Any]:
        if step not in self._due:
            return {}
        return {"epoch": self._due[step], **self._reader.read(self._networks.networks, step)}

    def finished(self) -> bool:
        return False

    def state(self) -> dict[str, Any]:
        return {"batches": self._batches.state(), "networks": self._networks.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._batches.load(state["batches"])
        self._networks.load(state["networks"])


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it: a line of what each layer tells of the input, and one of
    the label.
    """
    depth = sum(
        name.startswith("mi_input_") and name.removeprefix("mi_input_").isdecimal()
        for name in metrics
    )
    lines = [
        f"error {metrics['error']:.2%}; a layer tells at most {metrics['dpi_violation']:.3f} nats"
        " more than one before it"
    ]
    for suffix, by in (("", ""), ("_reference", " by densities")):
        if f"mi_input_1{suffix}" in metrics:
            for name, letter in (("input", "X"), ("label", "Y")):
                values = "  ".join(
                    f"{metrics[f'mi_{name}_{layer}{suffix}']:.3f}" for layer in range(1, depth + 1)
                )
                lines.append(f"I({letter};T) from the first layer to the last{by}: {values} nats")
    return "\n".join(lines)
