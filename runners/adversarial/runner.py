"""Adversarial: an invertible encoder hides the labels from a linear classifier of what it makes of
a view.

R copies, B batch, D features, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infobound.datasets.interfaces import Examples, Views
from infobound.models.encoders.networks import Invertible
from infobound.runners.encoders.runner import Encoding
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.player import Player
from infobound.runners.training.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Adversarial(Encoding):
    """A linear classifier learns the labels of the first view's representations, and the encoder to
    make it guess evenly.

    The first `warm_up` steps are the classifier's alone; each one after them is `classifier_steps`
    of the classifier's, on batches of their own, and one of the encoder's, which descends the
    cross-entropy to equal probabilities. The classifier learns `classifier_speed` times as fast as
    `optimizer` says.

    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625
    """

    warm_up: int
    classifier_steps: int
    classifier_speed: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warm_up < 0:
            raise ValueError(f"warm_up must be 0 or more, got {self.warm_up}")
        if self.classifier_steps < 1:
            raise ValueError(
                f"classifier_steps must be a positive integer, got {self.classifier_steps}"
            )
        if not self.classifier_speed > 0:
            raise ValueError(f"classifier_speed must be positive, got {self.classifier_speed}")

    def task(self, device: torch.device) -> "Hiding":
        """Encoders and classifiers before the first step.

        Raises ValueError if the encoder has no inverse.
        """
        model, (x, _, labels) = self.model, self.dataset.train_examples
        assert model is not None, "checked by the constructor"
        encoders = self.ensemble(lambda _: model(x.shape[1]), self.seed, device, self.average)
        if not isinstance(encoder := encoders.copy(0), Invertible):
            raise ValueError(
                f"model must be an encoder with an inverse, got {type(encoder).__name__}; use"
                " model=realnvp"
            )
        encoders.check(torch.zeros(self.replicates, self.batch_size, x.shape[1], device=device))
        classes = int(labels.max()) + 1
        classifiers = self.ensemble(
            lambda _: nn.Linear(x.shape[1], classes), self.seed, device, self.average
        )
        shared: Any = {
            "batch_size": self.batch_size,
            "seed": self.seed,
            "replicates": self.replicates,
            "device": device,
        }
        batches = SeenBatches(ViewWithLabel(self.dataset), **shared)
        learning, hiding = (
            elementwise(self.optimizer([each.parameters])) for each in (classifiers, encoders)
        )
        for group in learning.param_groups:
            group["lr"] *= self.classifier_speed
        rates = [Schedule(each, warmup=0, end=None) for each in (learning, hiding)]
        classifier, encoder = (
            Player(classifiers, learning, rates[0]),
            Player(encoders, hiding, rates[1]),
        )
        return Hiding(batches, classifier, encoder, self.warm_up, self.classifier_steps)


@dataclass(frozen=True)
class ViewWithLabel:
    """Views of which the second is the label."""

    views: Views

    @property
    def train_examples(self) -> Examples:
        return _labelled(self.views.train_examples)

    @property
    def test_examples(self) -> Examples:
        return _labelled(self.views.test_examples)

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.views.seen(x, x, generator)[0], y


def _labelled(examples: Examples) -> Examples:
    return examples._replace(y=examples.labels[:, None])


class Hiding:
    """An EncoderTask: classifiers learn the labels for `warm_up` steps, then encoders hide them
    once in so many of theirs.
    """

    def __init__(
        self,
        batches: SeenBatches,
        classifier: Player,
        encoder: Player,
        warm_up: int,
        classifier_steps: int,
    ) -> None:
        self.replicates = encoder.networks.replicates
        self._batches, self._classifier, self._encoder = batches, classifier, encoder
        self._warm_up, self._classifier_steps = warm_up, classifier_steps

    def step(self) -> dict[str, Tensor]:
        if self._classifier.networks.steps < self._warm_up:
            return self._learn()
        for _ in range(self._classifier_steps - 1):
            self._learn()
        learned = self._learn()
        self._hide()
        return learned

    def evaluate(self, step: int) -> dict[str, Any]:
        return {}

    def finished(self) -> bool:
        return False

    def encoder(self, index: int) -> nn.Module:
        return self._encoder.networks.copy(index).eval()

    def read(self, step: int) -> dict[str, Any]:
        """Nothing of the game: what a classifier in training makes of training examples is no
        result.
        """
        return {"stderr_of": "replicates" if self.replicates > 1 else "test examples"}

    def state(self) -> dict[str, Any]:
        parts = {"classifier": self._classifier, "encoder": self._encoder, "batches": self._batches}
        return {name: part.state() for name, part in parts.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._classifier.load(state["classifier"])
        self._encoder.load(state["encoder"])
        self._batches.load(state["batches"])

    def _learn(self) -> dict[str, Tensor]:
        """One step of the classifiers."""
        x, labels = self._batches.draw()
        with torch.no_grad():
            z = self._encoder(x)
        logits = self._classifier(z)
        loss = -logits.log_softmax(-1).gather(-1, labels).mean((-2, -1))
        self._classifier.descend(loss)
        return {"loss": loss.detach(), "unevenness": unevenness(logits).detach()}

    def _hide(self) -> None:
        """One step of the encoders."""
        x, _ = self._batches.draw()
        self._encoder.descend(unevenness(self._classifier(self._encoder(x))))


def unevenness(logits: Tensor) -> Tensor:
    """(R,) cross-entropy in nats of logits (R, B, C) to equal probabilities, at least log C."""
    return -logits.log_softmax(-1).mean((-2, -1))
