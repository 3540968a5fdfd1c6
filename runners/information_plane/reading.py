"""Read all layers of networks: their information about inputs and labels, and violations of the
data-processing inequality.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, count, takewhile
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Classified
from infobound.estimators.base import SampleEstimate
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.runners.classify.reading import set_noise
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.information_plane.layer_pairs import LayerPairs, by_densities
from infobound.runners.runs.metrics import Quantity, joined, single
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.randomness import generator

Side = Literal["input", "label"]
"""The variable that the information is about."""
REFERENCE = "_reference"
"""Suffix of quantities computed from densities."""
ROUNDING = 1e-6
"""Rounding error in nats of readings without a standard error."""


class PlaneReading(NamedTuple):
    """The reading of one copy, or of all copies."""

    quantities: Mapping[str, Quantity]
    violations: Mapping[str, float]
    """The largest excess of a layer over an earlier one, by the names in the metrics."""


@dataclass(frozen=True)
class PlaneReader:
    """Reads the layers of copies of a network on the inputs of a data set, and its predictions on
    held-out examples.
    """

    dataset: Classified
    inputs: Literal["all", "test"]
    estimates: FreshEstimates
    paths: int
    seed: int
    device: torch.device

    def check(self, networks: Ensemble) -> None:
        """Build the estimates of the layers.

        Raises ValueError if they do not fit.
        """
        for each in self._pairs(network_of(networks, 0)):
            for pairs in each:
                self.estimates.check(pairs)

    def read(self, networks: Ensemble, step: int) -> PlaneReading:
        """Read error and cross-entropy on held-out examples, and the information of each layer."""
        copies = [
            self._read(network_of(networks, copy), copy, step)
            for copy in range(networks.replicates)
        ]
        quantities = joined([each.quantities for each in copies])
        return PlaneReading(quantities, worst(each.violations for each in copies))

    def _read(self, network: LayeredMLP, copy: int, step: int) -> PlaneReading:
        names = (self.seed, copy, "plane", step)
        answers = self._answers(network, generator(self.device, *names, "test"))
        estimated = [
            tuple(self.estimates.read(each, *names, index, side) for side, each in enumerate(pairs))
            for index, pairs in enumerate(self._pairs(network))
        ]
        quantities, violations = by_layer(estimated, "")
        quantities = {**answers, **quantities}
        if network.std and self.paths:
            seen, labels = self._examples
            source = generator(self.device, *names, "paths")
            samples = self.estimates.samples
            known = by_densities(network, seen, labels, samples, self.paths, source)
            reference = by_layer(known, REFERENCE)
            quantities |= reference.quantities
            violations = {**violations, **reference.violations}
        return PlaneReading(quantities, violations)

    @torch.no_grad()
    def _answers(self, network: LayeredMLP, source: torch.Generator) -> dict[str, Quantity]:
        images, labels = (each.to(self.device) for each in self.dataset.test_images)
        set_noise(network.eval(), source)
        predicted = network(self.dataset.seen(images, None))[0].log_softmax(1)
        wrong = (predicted.argmax(1) != labels).double().mean().item()
        nats = cross_entropy(predicted, labels).item()
        return {"error": single(wrong, "share"), "cross_entropy": single(nats, "nats")}

    def _pairs(self, network: LayeredMLP) -> list[tuple[LayerPairs, LayerPairs]]:
        """The pairs of each layer with inputs, and with labels."""
        seen, labels = self._examples
        one_hot = nn.functional.one_hot(labels, self.dataset.classes).float()
        depth = len(network.layers) + 1
        return [
            (
                LayerPairs(seen.flatten(1), seen, network, index),
                LayerPairs(one_hot, seen, network, index),
            )
            for index in range(depth)
        ]

    @property
    def _examples(self) -> tuple[Tensor, Tensor]:
        """The inputs (N, *shape) and their labels (N,)."""
        dataset = self.dataset
        held = (
            [dataset.test_images]
            if self.inputs == "test"
            else [dataset.train_images, dataset.validation_images, dataset.test_images]
        )
        images, labels = Labelled(
            *(torch.cat(parts).to(self.device) for parts in zip(*held, strict=True))
        )
        return dataset.seen(images, None), labels


def network_of(networks: Ensemble, copy: int) -> LayeredMLP:
    """A copy as an ordinary module."""
    network = networks.copy(copy)
    if not isinstance(network, LayeredMLP):
        raise TypeError(f"the copies must be layered networks, got {type(network).__name__}")
    return network


def by_layer(estimates: Sequence[Sequence[SampleEstimate]], by: str) -> PlaneReading:
    """The estimates of each layer about X and Y, from the first layer to the last; `by` is the
    suffix of their names.
    """
    sides = [*zip(*estimates, strict=True)]
    rises = [violation(side) for side in sides]
    quantities = {
        information(side, layer, by): Quantity(
            [each.value], each.stderr, "test rows by influence values", "nats"
        )
        for side, read in zip(get_args(Side), sides, strict=True)
        for layer, each in enumerate(read, 1)
    }
    violations = {
        f"dpi_violation{by}": max(nats for nats, _ in rises),
        f"dpi_violation_errors{by}": max(errors for _, errors in rises),
    }
    return PlaneReading(quantities, violations)


def information(side: Side, layer: int, by: str = "") -> str:
    """The name of the information of a layer (from 1) about the input or the label."""
    return f"mi_{side}_{layer}{by}"


def layers_of(written: Mapping[str, object], by: str = "") -> Sequence[int]:
    """The layers (from 1) whose information is in a result or a line."""
    return [*takewhile(lambda layer: information("input", layer, by) in written, count(1))]


def worst(violations: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The largest of each violation."""
    found = dict[str, float]()
    for each in violations:
        found |= {name: max(value, found.get(name, value)) for name, value in each.items()}
    return found


def violation(layers: Iterable[SampleEstimate]) -> tuple[float, float]:
    """The largest excess of a layer over an earlier one, in nats and in standard errors of the
    difference.
    """
    pairs = [
        (after.value - before.value, math.hypot(before.stderr, after.stderr))
        for before, after in combinations(layers, 2)
    ]
    return max(rise for rise, _ in pairs), max(rise / max(error, ROUNDING) for rise, error in pairs)
