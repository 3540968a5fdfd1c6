"""Reading classifiers on held-out images.

N images, C classes, L noise layers that have a rate.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Classified
from infobound.models.noise.gaussian_noise import Noise
from infobound.regularizers.exposed import expose
from infobound.runners.classify.calibration import calibration_error
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.training import probes
from infobound.runners.training.batch_norms import estimate_anew
from infobound.runners.training.ensemble import Ensemble, Weights
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import spread, together

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHUNK = 64
"""Images that are read at once."""
SETTLED = {"validation": 4096, "test": 10_000}
"""Training images at most that averages of batch normalisation are estimated on: those of a batch
of 10,000 are within a hundredth of a standard deviation of all images', and all images would take
longer than the test.
"""
Draw = Callable[[str, "Figure"], None]
"""Keeps a figure under a name."""


class Answers(NamedTuple):
    """What a classifier made of images."""

    predicted: Tensor
    """(N, C) log probabilities, the logarithm of their mean over samples of the noise."""
    labels: Tensor
    """(N,) the right ones."""
    rates: Tensor | None
    """(N, L) nats, their mean over the samples, where the model has any."""


@dataclass(frozen=True)
class Subject:
    """A copy of a classifier that is ready to be read, and held-out images on its device.

    Its noise in evaluation is drawn from `source`, or left out where that is None.
    """

    module: nn.Module
    copy: int
    dataset: Classified
    held: Labelled
    seed: int
    source: torch.Generator | None

    def seen(self) -> Iterator[Tensor]:
        """All images as they are seen, some at a time."""
        return (self.dataset.seen(part, None) for part in self.held.images.split(CHUNK))

    @torch.no_grad()
    def representations(self, purpose: str) -> Tensor:
        """(N, D) of the images, with noise that is drawn for this purpose whatever else is
        tested.
        """
        sampled(self.module, generator(self.held.images.device, self.seed, self.copy, purpose))
        found = torch.cat([self.module(x)[1] for x in self.seen()])
        sampled(self.module, self.source)
        return found


class Analysis(Protocol):
    """What more is read of a trained classifier than whether it is right."""

    def check(self, module: nn.Module, x: Tensor) -> None:
        """Raises ValueError unless it can be read of this model, whose noise is on, and of images x
        (N, *shape).
        """
        ...

    def __call__(self, subject: Subject, draw: Draw) -> dict[str, float]:
        """Metrics of one copy; it draws those figures that there are."""
        ...


@dataclass(frozen=True)
class ClassifierReader:
    """Reads copies on held-out images: `samples` of their noise an image, whose probabilities are
    averaged; 0 is without noise.

    The averages of batch normalisation are estimated anew on training images beforehand.
    """

    dataset: Classified
    samples: int
    analyses: Sequence[Analysis]
    seed: int
    device: torch.device
    _placed: dict[str, Labelled] = field(default_factory=dict)

    def validate(self, networks: Ensemble, step: int) -> dict[str, Any]:
        """Error, cross-entropy and rates on the validation images after `step` steps; nothing where
        there are none.
        """
        if not len(self.dataset.validation_images.labels):
            return {}
        copies = range(networks.replicates)
        return together(
            [
                judged(self._answers(self._ready(networks, copy, "validation", step, None)))
                for copy in copies
            ]
        )

    def test(
        self,
        networks: Ensemble,
        weights: Weights,
        regularisation: Regularisation | None,
        draw: Draw,
    ) -> dict[str, Any]:
        """The metrics of result.json, of these weights."""
        copies = []
        for copy in range(networks.replicates):
            subject = self._ready(networks, copy, "test", 0, weights)
            answers = self._answers(subject)
            copies.append(
                judged(answers) | calibrated(answers) | self._information(subject, regularisation)
            )
            for analysis in self.analyses:
                copies[-1] |= analysis(subject, draw)
        found, count = together(copies), len(self.dataset.test_images.labels)
        alone = networks.replicates == 1
        stderr = (
            probes.stderr(found["error"], count)
            if alone
            else spread(found["error_replicates"]).value
        )
        return {
            "error": found["error"],
            "error_stderr": stderr,
            "stderr_of": "test images" if alone else "replicates",
            **found,
        }

    @torch.no_grad()
    def _ready(
        self, networks: Ensemble, copy: int, split: str, step: int, weights: Weights | None
    ) -> Subject:
        """A copy that is to read a split: with its noise, and averages of batch normalisation of
        its own.
        """
        module = networks.copy(copy, weights).eval()
        source = (
            generator(self.device, self.seed, copy, "read", split, step) if self.samples else None
        )
        sampled(module, source)
        estimate_anew(module, self._training(SETTLED[split], copy))
        return Subject(module, copy, self.dataset, self._on_device(split), self.seed, source)

    @torch.no_grad()
    def _answers(self, subject: Subject) -> Answers:
        parts = [self._read(subject.module, x) for x in subject.seen()]
        predicted, *rates = (torch.cat(each) for each in zip(*parts, strict=True))
        return Answers(predicted, subject.held.labels, *rates or [None])

    def _read(self, module: nn.Module, x: Tensor) -> list[Tensor]:
        """Log probabilities of x, and the rates where the model has any."""
        drawn = [module(x) for _ in range(max(1, self.samples))]
        predicted = torch.stack([logits.float().log_softmax(1) for logits, *_ in drawn])
        rates = [
            torch.stack(each).mean(0) for each in zip(*(rate for _, _, *rate in drawn), strict=True)
        ]
        return [predicted.logsumexp(0) - math.log(len(drawn)), *rates]

    @torch.no_grad()
    def _information(
        self, subject: Subject, regularisation: Regularisation | None
    ) -> dict[str, float]:
        """What the penalty's critic reads of the test images and their representations, which have
        noise whatever is tested.
        """
        if regularisation is None or not regularisation.reads:
            return {}
        x = torch.cat([x.flatten(1) for x in subject.seen()])
        rows = expose(input=x, representation=subject.representations("information"))
        read = regularisation.information(subject.copy, rows)
        return {} if read is None else {"mi": read}

    def _training(self, count: int, copy: int) -> Iterator[Tensor]:
        """The first training images as they are seen in training."""
        source = generator(self.device, self.seed, copy, "settled")
        for part in self.dataset.train_images.images[:count].split(CHUNK):
            yield self.dataset.seen(part.to(self.device), source)

    def _on_device(self, split: str) -> Labelled:
        if split not in self._placed:
            held = self.dataset.test_images if split == "test" else self.dataset.validation_images
            self._placed[split] = Labelled(*(part.to(self.device) for part in held))
        return self._placed[split]


def sampled(module: nn.Module, source: torch.Generator | None) -> None:
    """Have all noise of a module in evaluation drawn from this generator, or left out."""
    for layer in module.modules():
        if isinstance(layer, Noise):
            layer.train(source is not None)
            layer.generators = () if source is None else (source,)


def by_layer(name: str, values: Sequence[float]) -> dict[str, float]:
    """One quantity of every noise layer, from 1, where there are several."""
    return (
        {f"{name}_{layer}": value for layer, value in enumerate(values, 1)}
        if len(values) > 1
        else {}
    )


def judged(answers: Answers) -> dict[str, float]:
    """Share of wrong answers, cross-entropy in nats, and where there is one the mean rate in nats
    and bits, and by layer.
    """
    wrong = (answers.predicted.argmax(dim=1) != answers.labels).double().mean().item()
    found = {
        "error": wrong,
        "cross_entropy": cross_entropy(answers.predicted, answers.labels).item(),
    }
    if answers.rates is not None:
        rates = answers.rates.double().mean(dim=0).tolist()
        found |= {
            "rate": sum(rates),
            "rate_bits": sum(rates) / math.log(2),
            **by_layer("rate", rates),
        }
    return found


def calibrated(answers: Answers) -> dict[str, float]:
    """The calibration error, and H(Y) less the cross-entropy, nats that the representation tells of
    the label at least.
    """
    shares = answers.labels.bincount().double() / len(answers.labels)
    entropy = -torch.xlogy(shares, shares).sum().item()
    told = entropy - cross_entropy(answers.predicted, answers.labels).item()
    return {"ece": calibration_error(answers.predicted, answers.labels), "mi_labels": told}
