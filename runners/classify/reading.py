"""Reading classifiers on held-out images.

N images, C classes, L noise layers with a rate.
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
from infobound.runners.runs.waiting import tracked
from infobound.runners.training import probes
from infobound.runners.training.batch_norms import estimate_anew
from infobound.runners.training.ensemble import Ensemble, Weights
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.randomness import generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHUNK = 64
"""Number of images that are read at a time."""
SETTLED = {"validation": 4096, "test": 10_000}
"""Maximum number of training images for the averages of batch normalisation: averages over 10,000
images are within a hundredth of a standard deviation of those over all images, which would take
longer than the test.
"""


class Answers(NamedTuple):
    """The predictions of a classifier for images."""

    predicted: Tensor
    """(N, C) log probabilities, the logarithm of the mean probability over noise samples."""
    labels: Tensor
    """(N,) true labels."""
    rates: Tensor | None
    """(N, L) mean rates over the noise samples in nats, if the model has any."""


@dataclass(frozen=True)
class Subject:
    """A copy of a classifier that is ready for reading, with held-out images on its device.

    Its noise in evaluation is drawn from `source`; None means no noise.
    """

    module: nn.Module
    copy: int
    dataset: Classified
    held: Labelled
    seed: int
    source: torch.Generator | None

    def seen(self) -> Iterator[Tensor]:
        """Yield the inputs of all images in chunks."""
        return (self.dataset.seen(part, None) for part in tracked(self.held.images.split(CHUNK)))

    @torch.no_grad()
    def representations(self, purpose: str) -> Tensor:
        """The representations (N, D) of the images, with their own noise, independent of other
        tests.
        """
        set_noise(self.module, generator(self.held.images.device, self.seed, self.copy, purpose))
        found = torch.cat([self.module(x)[1] for x in self.seen()])
        set_noise(self.module, self.source)
        return found


class Findings(NamedTuple):
    """Results of one copy or of all copies: quantities and figures by name."""

    quantities: Mapping[str, Quantity]
    figures: "Mapping[str, Figure]"


class Analysis(Protocol):
    """A further analysis of a trained classifier."""

    def check(self, module: nn.Module, x: Tensor) -> None:
        """Raise ValueError unless the analysis works for this model, with noise, and for images x
        (N, *shape).
        """
        ...

    def __call__(self, subject: Subject) -> Findings:
        """Analyse one copy."""
        ...


@dataclass(frozen=True)
class ClassifierReader:
    """Reads copies on held-out images: probabilities are averaged over `samples` noise samples for
    each image; 0 means no noise.

    The averages of batch normalisation are first estimated again on training images.
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
        """Error, cross-entropy and rates on the validation images after `step` steps; empty if
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
        """Test all copies with these weights on the test images."""
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
        """A copy that is ready to read a split, with its noise and its own averages of batch
        normalisation.
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
        """Log probabilities of x, and rates if the model has any."""
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
        """The information between the test images and their noisy representations, read by the
        penalty's critic.
        """
        if regularisation is None or not regularisation.reads:
            return {}
        x = torch.cat([x.flatten(1) for x in subject.seen()])
        rows = expose(input=x, representation=subject.representations("information"))
        read = regularisation.information(subject.copy, rows)
        return {} if read is None else {"mi": single(read, "nats")}

    def _training(self, count: int, copy: int) -> Iterator[Tensor]:
        """The first training images as inputs in training."""
        source = generator(self.device, self.seed, copy, "settled")
        for part in tracked(self.dataset.train_images.images[:count].split(CHUNK)):
            yield self.dataset.seen(part.to(self.device), source)

    def _on_device(self, split: str) -> Labelled:
        if split not in self._placed:
            held = self.dataset.test_images if split == "test" else self.dataset.validation_images
            self._placed[split] = Labelled(*(part.to(self.device) for part in held))
        return self._placed[split]


def set_noise(module: nn.Module, source: torch.Generator | None) -> None:
    """Draw all noise of a module in evaluation from this generator; None switches it off."""
    for layer in module.modules():
        if isinstance(layer, Noise):
            layer.train(source is not None)
            layer.generators = () if source is None else (source,)


def by_layer(name: str, values: Sequence[float], unit: Unit) -> dict[str, Quantity]:
    """One quantity for every noise layer, numbered from 1, if there are several."""
    several = enumerate(values, 1) if len(values) > 1 else ()
    return {f"{name}_{layer}": single(value, unit) for layer, value in several}


def over_images(wrong: float, count: int) -> Quantity:
    """A share of wrong answers on test images, with its standard error."""
    return Quantity([wrong], probes.stderr(wrong, count), "test images", "share")


def judged(answers: Answers) -> dict[str, Quantity]:
    """The share of wrong answers, the cross-entropy in nats, and, if there are rates, the mean rate
    in nats and bits, and by layer.
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
    """The calibration error, and H(Y) minus the cross-entropy, a lower bound of I(Y; Z) in nats."""
    shares = answers.labels.bincount().double() / len(answers.labels)
    entropy = -torch.xlogy(shares, shares).sum().item()
    told = entropy - cross_entropy(answers.predicted, answers.labels).item()
    gap = calibration_error(answers.predicted, answers.labels)
    return {"ece": single(gap, "share"), "mi_labels": single(told, "nats")}
