"""Reading all layers of networks: what they tell of inputs and labels, and where one tells more
than one before it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Classified
from infobound.estimators.base import SampleEstimate
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.runners.classify.reading import set_noise
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.information_plane.layer_pairs import LayerPairs, by_densities
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import together

ROUNDING = 1e-6
"""Nats by which readings differ that have no error."""


@dataclass(frozen=True)
class PlaneReader:
    """Reads the layers of copies of a network on the inputs of a data set, and its answers on the
    held-out ones.
    """

    dataset: Classified
    inputs: Literal["all", "test"]
    estimates: FreshEstimates
    paths: int
    seed: int
    device: torch.device

    def check(self, networks: Ensemble) -> None:
        """Build what is to read the layers.

        Raises ValueError where that does not fit.
        """
        for each in self._pairs(network_of(networks, 0)):
            for pairs in each:
                self.estimates.check(pairs)

    def read(self, networks: Ensemble, step: int) -> dict[str, Any]:
        """Error and cross-entropy of held-out examples, and the information of each layer, means
        and copies.
        """
        copies = [
            self._read(network_of(networks, copy), copy, step)
            for copy in range(networks.replicates)
        ]
        worst = {
            name: max(copy[name] for copy in copies) for name in copies[0] if name.startswith("dpi")
        }
        left_out = {
            f"{name}_replicates" for name in copies[0] if name in worst or name.endswith("_stderr")
        }
        return {
            name: value
            for name, value in (together(copies) | worst).items()
            if name not in left_out
        }

    def _read(self, network: LayeredMLP, copy: int, step: int) -> dict[str, float]:
        names = (self.seed, copy, "plane", step)
        found = self._answers(network, generator(self.device, *names, "test"))
        estimated = [
            tuple(self.estimates.read(each, *names, index, side) for side, each in enumerate(pairs))
            for index, pairs in enumerate(self._pairs(network))
        ]
        found |= told(estimated, "")
        if network.std and self.paths:
            seen, labels = self._examples
            source = generator(self.device, *names, "paths")
            found |= told(
                by_densities(network, seen, labels, self.estimates.samples, self.paths, source),
                "_reference",
            )
        return found

    @torch.no_grad()
    def _answers(self, network: LayeredMLP, source: torch.Generator) -> dict[str, float]:
        images, labels = (each.to(self.device) for each in self.dataset.test_images)
        set_noise(network.eval(), source)
        predicted = network(self.dataset.seen(images, None))[0].log_softmax(1)
        wrong = (predicted.argmax(1) != labels).double().mean().item()
        return {"error": wrong, "cross_entropy": cross_entropy(predicted, labels).item()}

    def _pairs(self, network: LayeredMLP) -> list[tuple[LayerPairs, LayerPairs]]:
        """Of each layer the pairs of inputs, and of labels."""
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
        """(N, *shape) what is seen of the inputs, and (N,) their labels."""
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
    """A copy as an ordinary module; the next call overwrites it."""
    network = networks.copy(copy)
    assert isinstance(network, LayeredMLP), "checked by the runner's constructor"
    return network


def told(estimates: Sequence[Sequence[SampleEstimate]], suffix: str) -> dict[str, float]:
    """What is to be said of the estimates of each layer, of X and of Y, from the first layer to the
    last.
    """
    found = dict[str, float]()
    sides = [*zip(*estimates, strict=True)]
    worst = [violation(side) for side in sides]
    found[f"dpi_violation{suffix}"] = max(nats for nats, _ in worst)
    found[f"dpi_violation_errors{suffix}"] = max(errors for _, errors in worst)
    for name, side in zip(("input", "label"), sides, strict=True):
        for layer, each in enumerate(side, 1):
            found |= {
                f"mi_{name}_{layer}{suffix}": each.value,
                f"mi_{name}_{layer}{suffix}_stderr": each.stderr,
            }
    return found


def violation(layers: Iterable[SampleEstimate]) -> tuple[float, float]:
    """The most by which a layer reads more than one before it: in nats, and in standard errors of
    their difference.
    """
    pairs = [
        (after.value - before.value, math.hypot(before.stderr, after.stderr))
        for before, after in combinations(layers, 2)
    ]
    return max(rise for rise, _ in pairs), max(rise / max(error, ROUNDING) for rise, error in pairs)
