"""Read classifiers on held-out rows: their accuracy, and the dependence of their scores on the
pivots.

R copies, N rows, C classes, P pivots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from infobound.datasets.labelled.rows import Bayes
from infobound.regularizers.exposed import expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant.feeds import Held, LabelledFeed
from infobound.runners.invariant.measures import Measures
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.readings import Measured, Unread, Value, measured
from infobound.runners.invariant.significance import Curve, Significance, thresholds
from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.metrics import JSON, Quantity, together, with_errors
from infobound.runners.runs.written import State
from infobound.runners.training import permutation
from infobound.runners.training.batch_norms import estimate_anew
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.randomness import stream

CHUNK = 4096
"""Number of rows read at a time, and of rows for the averages of batch normalisation."""
WATCHED = 2000
"""Maximum number of rows whose nearest neighbours are computed at an evaluation in training."""
PAIRS = 2
"""Minimum number of rows of which a penalty compares pairs."""
CPU = torch.device("cpu")


class JudgedCopy(NamedTuple):
    """The test results of one copy."""

    predictions: Predictions
    measured: Measured
    curve: Curve | None
    """None without rows of signal or of background."""


class Settled:
    """A part of a task: training rows (N, D) of each copy for the averages of batch normalisation;
    empty for a model without it.
    """

    def __init__(self, networks: Ensemble, feed: LabelledFeed) -> None:
        normalised = any(isinstance(each, BatchNorm) for each in networks.module.modules())
        most = CHUNK if normalised else 0
        self.rows = [feed.batches.look(copy).x[:most] for copy in range(networks.replicates)]

    def state(self) -> State:
        return {"rows": self.rows}

    def load(self, state: State) -> None:
        self.rows = [
            saved.to(each.device) for saved, each in zip(state["rows"], self.rows, strict=True)
        ]


@dataclass(frozen=True)
class InvarianceReader:
    """Reads copies of classifiers, and of their penalty, on held-out rows."""

    networks: Ensemble
    regularisation: Regularisation | None
    feed: LabelledFeed
    code: PivotCode
    measures: Measures
    significance: Significance
    bayes: Bayes | None
    warnings: Sequence[str]
    seed: int
    settled: Settled

    def watch(self, split: Held, step: int) -> dict[str, Quantity | JSON]:
        """The cheap measures, on the rows for a use after `step` steps; None for those that these
        rows cannot give.
        """
        found = [
            self._watched(self.predictions(self.module(copy), copy, split, step), copy, WATCHED)
            for copy in range(self.networks.replicates)
        ]
        return {**self._together(found), **dict.fromkeys(_unread(found))}

    def test(self) -> list[JudgedCopy]:
        """All measures on the test rows."""
        return [self._tested(copy) for copy in range(self.networks.replicates)]

    def metrics(self, copies: Sequence[JudgedCopy]) -> dict[str, Quantity | JSON]:
        """The metrics of result.json, with standard errors over copies, or over rows for one copy;
        None, with the reason among the warnings, for those that the rows cannot give.
        """
        found = [copy.measured for copy in copies]
        unread = _unread(found)
        read: dict[str, Quantity | JSON] = {
            **with_errors(self._together(found), found[0].errors, "test rows"),
            **dict.fromkeys(unread),
        }
        if isinstance(p := read.get("mi_p_value"), Quantity):
            read["mi_p_value"] = Quantity(p.copies, pooled=permutation.combined(p.copies))
        if self.bayes is not None:
            read |= {f"{name}_bayes": value for name, value in self.bayes._asdict().items()}
        reasons = [
            f"{_listed([name for name, why in unread.items() if why == reason])} null: {reason}"
            for reason in dict.fromkeys(unread.values())
        ]
        return read | {"warnings": [*self.warnings, *reasons]}

    def _together(self, copies: Sequence[Measured]) -> dict[str, Quantity]:
        """The measures that every copy's rows can give."""
        unread = _unread(copies)
        values = [
            {name: value for name, value in each.values.items() if name not in unread}
            for each in copies
        ]
        return together(values, self.measures.units)

    def table(self, copies: Sequence[JudgedCopy]) -> dict[str, Tensor]:
        """A table of all test rows of all copies: copy, position in the data table, label, pivots,
        weight, logits, and log-odds against the background. A pivot with the name of another column
        gets the prefix `pivot_`.
        """
        described, background = self.measures.described, self.measures.judging.background
        classes = described.classes
        logits = ["logit"] if len(classes) == 2 else [f"logit_{name}" for name in classes[1:]]
        other = {"copy", "row", "label", "weight", "score", *logits}
        pivots = [f"pivot_{name}" if name in other else name for name, _ in described.pivots]
        parts: list[dict[str, Tensor]] = []
        for index, (found, *_) in enumerate(copies):
            place = {} if self.feed.places is None else {"row": self.feed.places(index)}
            parts.append(
                {
                    "copy": torch.full_like(found.labels, index),
                    **place,
                    "label": found.labels,
                    **dict(zip(pivots, found.pivots.T, strict=True)),
                    "weight": found.weights,
                    **dict(zip(logits, found.logits.double().T, strict=True)),
                    "score": -found.log_odds(background),
                }
            )
        return {name: torch.cat([columns[name] for columns in parts]) for name in parts[0]}

    def module(self, copy: int) -> nn.Module:
        """A copy that is ready for reading, with its own averages of batch normalisation."""
        module = self.networks.copy(copy).eval()
        estimate_anew(module, [self.settled.rows[copy]])
        return module

    @torch.no_grad()
    def predictions(self, module: nn.Module, copy: int, split: Held, step: int) -> Predictions:
        """The predictions of a classifier for held-out rows, on their device.

        Raises RunFailed unless they are finite.
        """
        rows = self.feed.held_out(copy, split, step)
        logits = torch.cat([module(part) for part in rows.x.split(CHUNK)]).float()
        if not logits.isfinite().all():
            raise RunFailed(
                f"the classifier's logits of {split} rows are not finite; try a lower optimizer.lr"
            )
        return Predictions(rows, logits)

    def _watched(self, found: Predictions, copy: int, most: int) -> Measured:
        """Accuracy, information of scores about pivots, and the penalty's reading."""
        watched = self.measures.watched(found.to(CPU), most)
        if (regularisation := self.regularisation) is None:
            return watched
        rows, logits = (judged := self.measures.penalised(found)).rows, judged.logits

        def penalty() -> Mapping[str, Value]:
            if len(rows) < PAIRS:
                raise Unread(f"there are {len(rows)} rows, and {PAIRS} are needed")
            code = self.code.of(copy, rows.pivots)
            seen = expose(logits=logits, pivot=code, raw_pivot=rows.pivots)
            read = regularisation.held_out(copy, seen)
            return {name: Value(value) for name, value in read.items()}

        return watched | measured((regularisation.quantity,), penalty)

    def _tested(self, copy: int) -> JudgedCopy:
        measures, seed = self.measures, stream(self.seed, copy, "measured")
        module = self.module(copy)
        read = self.predictions(module, copy, "test", 0)
        found = read.to(CPU)
        told = measures.tested(found, self._watched(read, copy, len(read.rows)), seed)
        # The threshold is chosen on other rows than its significance.
        choice = self.predictions(module, copy, "choice", 0).to(CPU)
        curve: Curve | None = None

        def significance() -> Mapping[str, Value]:
            nonlocal curve
            background, categories = measures.judging.background, measures.categories
            tried = self.significance.curve(
                choice, background, categories, thresholds(choice, background)
            )
            curve = self.significance.curve(found, background, categories, tried.thresholds)
            best, certain = tried.ams.argmax(), tried.certain.argmax()
            return {
                "ams": Value(float(curve.ams[best])),
                "ams_certain": Value(float(curve.certain[certain])),
            }

        counted = measured(("ams", "ams_certain"), significance)
        if self.feed.chooses:
            told |= counted
        if measures.judging.permutations:
            told |= measured(
                ("mi_p_value",), lambda: {"mi_p_value": Value(measures.p_value(found, seed))}
            )
        return JudgedCopy(found, told, curve)


def _unread(copies: Sequence[Measured]) -> dict[str, str]:
    """The reasons for what some copy's rows cannot give, by name."""
    return {name: reason for copy in reversed(copies) for name, reason in copy.unread.items()}


def _listed(names: Sequence[str]) -> str:
    """Names with their verb, such as `ams and auc are`."""
    return f"{', '.join(names[:-1])} and {names[-1]} are" if len(names) > 1 else f"{names[0]} is"
