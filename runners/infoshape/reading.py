"""Test codes with fresh critics and classifiers.

R copies, N rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Joint
from infobound.estimators.base import SampleEstimate
from infobound.runners.classify.fresh_classifier import FreshClassifier
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.infoshape.code_pairs import CodePairs
from infobound.runners.infoshape.codes import encode
from infobound.runners.infoshape.samples import LabelledInputs
from infobound.runners.runs.metrics import Quantity, together, with_errors
from infobound.runners.runs.written import Written
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.settings import Execution, Settings


@dataclass(frozen=True, kw_only=True)
class CodeTests(Settings):
    """Fresh critics read both informations on fresh pairs (`estimates`). A fresh `classifier` is
    trained on the training rows and tested on the test rows: on their codes, on codes of the
    untrained encoder, and on the inputs themselves.
    """

    estimates: FreshEstimates
    classifier: FreshClassifier


class Found(NamedTuple):
    """The test results of one copy's codes, by name."""

    informations: Mapping[str, SampleEstimate]
    entropies: Mapping[str, float]
    """Cross-entropies in nats."""
    errors: Mapping[str, float]
    """Error rates of classifiers."""


@dataclass(frozen=True)
class CodeReader:
    """Tests the codes of copies, each with its own random streams."""

    dataset: Joint
    tests: CodeTests
    execution: Execution

    def check(self, encoder: nn.Module) -> None:
        """Build the estimates of the codes.

        Raises ValueError for settings that do not fit together or do not fit the codes.
        """
        self.tests.estimates.check(self._pairs(encoder, of_input=True, rows=2))

    def read(
        self,
        copy: int,
        encoder: nn.Module,
        first: nn.Module,
        train: LabelledInputs,
        test: LabelledInputs,
    ) -> Found:
        """Test a copy's codes, and those of its encoder before the first step.

        Raises RunFailed if an estimate is not finite.
        """
        informations = {}
        for name, of_input in (("label", False), ("input", True)):
            pairs = self._pairs(encoder, of_input, len(test.x))
            read = self.tests.estimates.read(pairs, self.execution.seed, copy, name)
            informations[f"mi_{name}"] = read
        ways = {"": self._released(copy, encoder), "_random": self._released(copy, first)}
        entropies, errors = dict[str, float](), dict[str, float]()
        for suffix, released in {**ways, "_raw": _as_they_are}.items():
            classified = self._classified(copy, released, train, test)
            entropies[f"cross_entropy{suffix}"] = classified["cross_entropy"]
            errors[f"error{suffix}"] = classified["error"]
        return Found(informations, entropies, errors)

    def _pairs(self, encoder: nn.Module, of_input: bool, rows: int) -> CodePairs:
        return CodePairs(self.dataset, encoder, of_input, rows, self.execution.place)

    def _released(self, copy: int, encoder: nn.Module) -> Callable[[Tensor], Tensor]:
        source = generator(self.execution.place, self.execution.seed, copy, "released")
        return partial(encode, encoder, source=source)

    def _classified(
        self,
        copy: int,
        released: Callable[[Tensor], Tensor],
        train: LabelledInputs,
        test: LabelledInputs,
    ) -> Mapping[str, float]:
        """Cross-entropy and error of a fresh classifier on a copy's test rows."""
        shown, asked = (Labelled(released(x), y.argmax(1)) for x, y in (train, test))
        seed = stream(self.execution.seed, copy, "classifier")
        return self.tests.classifier.test(shown, asked, self.dataset.dim_y, seed)


def metrics(copies: Sequence[Found]) -> dict[str, Quantity]:
    """The metrics of result.json."""
    informations = [each.informations.items() for each in copies]
    nats = [{name: estimate.value for name, estimate in each} for each in informations]
    found = (
        together(nats, "nats")
        | together([each.entropies for each in copies], "nats")
        | together([each.errors for each in copies], "share")
    )
    alone = {name: estimate.stderr for name, estimate in copies[0].informations.items()}
    return with_errors(found, alone, "subsamples")


def sentence(metrics: Written) -> str:
    """The outcome in one sentence."""
    told = ", ".join(
        f"I({of}) = {metrics[name]:.3f} nats"
        for of, name in (("Z;label", "mi_label"), ("X;Z", "mi_input"))
    )
    entropies = ", ".join(
        f"{metrics[f'cross_entropy{suffix}']:.3g} of {of}"
        for suffix, of in (
            ("", "the codes"),
            ("_random", "those of the initial weights"),
            ("_raw", "the inputs"),
        )
    )
    return f"{told}; test cross-entropy {entropies}"


def _as_they_are(x: Tensor) -> Tensor:
    return x
