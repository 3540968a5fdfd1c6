"""Reading classifiers on held-out images.

N images, C classes, L noise layers that have a rate.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Classified
from infobound.models.noise.gaussian_noise import Noise
from infobound.regularizers.exposed import expose
from infobound.runners.classify.calibration import calibration_error
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.runs.metrics import Quantity, Unit, joined, single
from infobound.runners.training import probes
from infobound.runners.training.batch_norms import estimate_anew
from infobound.runners.training.ensemble import Ensemble, Weights
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.randomness import generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHUNK = 64
"""Images that are read at once."""
SETTLED = {"validation": 4096, "test": 10_000}
"""Training images at most that averages of batch normalisation are estimated on: those of a batch
of 10,000 are within a hundredth of a standard deviation of all images', and all images would take
longer than the test.
"""


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
        set_noise(self.module, generator(self.held.images.device, self.seed, self.copy, purpose))
        found = torch.cat([self.module(x)[1] for x in self.seen()])
        set_noise(self.module, self.source)
        return found


class Findings(NamedTuple):
    """What is known of one copy, or of all of them: quantities, and figures, each by name."""

    quantities: Mapping[str, Quantity]
    figures: "Mapping[str, Figure]"


class Analysis(Protocol):
    """What more is read of a trained classifier than whether it is right."""

    def check(self, module: nn.Module, x: Tensor) -> None:
        """Raises ValueError unless it can be read of this model, whose noise is on, and of images x
        (N, *shape).
        """
        ...

    def __call__(self, subject: Subject) -> Findings:
        """What it reads of one copy."""
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

    @property
    def validates(self) -> bool:
        """Whether there are validation images."""
        return len(self.dataset.validation_images.labels) > 0

    def validate(self, networks: Ensemble, step: int) -> dict[str, Quantity]:
        """Error, cross-entropy and rates on the validation images after `step` steps; nothing where
        there are none.
        """
        if not self.validates:
            return {}
        subjects = (
            self._ready(networks, copy, "validation", step, None)
            for copy in range(networks.replicates)
        )
        return joined([judged(self._answers(subject)) for subject in subjects])

    def test(
        self, networks: Ensemble, weights: Weights, regularisation: Regularisation | None
    ) -> Findings:
        """What all copies with these weights are like on the test images."""
        figures: dict[str, Figure] = {}
        copies = list[dict[str, Quantity]]()
        for copy in range(networks.replicates):
            subject = self._ready(networks, copy, "test", 0, weights)
            answers = self._answers(subject)
            found = judged(answers)
            found["error"] = over_images(found["error"].value, len(answers.labels))
            found |= calibrated(answers) | self._information(subject, regularisation)
            for analysis in self.analyses:
                quantities, drawn = analysis(subject)
                found |= quantities
                figures |= drawn
            copies.append(found)
        return Findings(joined(copies), figures)

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
        set_noise(module, source)
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
    ) -> dict[str, Quantity]:
        """What the penalty's critic reads of the test images and their representations, which have
        noise whatever is tested.
        """
        if regularisation is None or not regularisation.reads:
            return {}
        x = torch.cat([x.flatten(1) for x in subject.seen()])
        rows = expose(input=x, representation=subject.representations("information"))
        read = regularisation.information(subject.copy, rows)
        return {} if read is None else {"mi": single(read, "nats")}

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


def set_noise(module: nn.Module, source: torch.Generator | None) -> None:
    """Have all noise of a module in evaluation drawn from this generator, or left out."""
    for layer in module.modules():
        if isinstance(layer, Noise):
            layer.train(source is not None)
            layer.generators = () if source is None else (source,)


def by_layer(name: str, values: Sequence[float], unit: Unit) -> dict[str, Quantity]:
    """One quantity of every noise layer, from 1, where there are several."""
    several = enumerate(values, 1) if len(values) > 1 else ()
    return {f"{name}_{layer}": single(value, unit) for layer, value in several}


def over_images(wrong: float, count: int) -> Quantity:
    """A share of wrong answers on so many test images, with its standard error."""
    return Quantity([wrong], probes.stderr(wrong, count), "test images", "share")


def judged(answers: Answers) -> dict[str, Quantity]:
    """Share of wrong answers, cross-entropy in nats, and where there is one the mean rate in nats
    and bits, and by layer.
    """
    wrong = (answers.predicted.argmax(dim=1) != answers.labels).double().mean().item()
    found = {
        "error": single(wrong, "share"),
        "cross_entropy": single(cross_entropy(answers.predicted, answers.labels).item(), "nats"),
    }
    if answers.rates is not None:
        rates = answers.rates.double().mean(dim=0).tolist()
        found |= {
            "rate": single(sum(rates), "nats"),
            "rate_bits": single(sum(rates) / math.log(2), "bits"),
            **by_layer("rate", rates, "nats"),
        }
    return found


def calibrated(answers: Answers) -> dict[str, Quantity]:
    """The calibration error, and H(Y) less the cross-entropy, nats that the representation tells of
    the label at least.
    """
    shares = answers.labels.bincount().double() / len(answers.labels)
    entropy = -torch.xlogy(shares, shares).sum().item()
    told = entropy - cross_entropy(answers.predicted, answers.labels).item()
    gap = calibration_error(answers.predicted, answers.labels)
    return {"ece": single(gap, "share"), "mi_labels": single(told, "nats")}
