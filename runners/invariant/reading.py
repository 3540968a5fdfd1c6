"""Read classifiers on held-out rows: their accuracy, and the dependence of their scores on the
pivots.

R copies, N rows, C classes, P pivots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from infobound.datasets.labelled.rows import Bayes
from infobound.regularizers.exposed import expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant.feeds import Held, LabelledFeed
from infobound.runners.invariant.measures import Measured, Measures
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.significance import Curve, Significance, thresholds
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
CPU = torch.device("cpu")


class JudgedCopy(NamedTuple):
    """The test results of one copy."""

    predictions: Predictions
    measured: Measured
    p_value: float | None
    """The p-value of scores and pivots against independence, None if it is not tested."""
    curve: Curve


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

    def watch(self, split: Held, step: int) -> dict[str, Quantity]:
        """The cheap measures, on the rows for a use after `step` steps."""
        found = [
            self._watched(self.predictions(self.module(copy), copy, split, step), copy, WATCHED)
            for copy in range(self.networks.replicates)
        ]
        return together(found, self.measures.units)

    def test(self) -> list[JudgedCopy]:
        """All measures on the test rows."""
        return [self._tested(copy) for copy in range(self.networks.replicates)]

    def metrics(self, copies: Sequence[JudgedCopy]) -> dict[str, Quantity | JSON]:
        """The metrics of result.json, with standard errors over copies, or over rows for one
        copy.
        """
        found = together([copy.measured.values for copy in copies], self.measures.units)
        read: dict[str, Quantity | JSON] = {
            **with_errors(found, copies[0].measured.errors, "test rows")
        }
        if p_values := [copy.p_value for copy in copies if copy.p_value is not None]:
            read["mi_p_value"] = Quantity(p_values, pooled=permutation.combined(p_values))
        if self.bayes is not None:
            read |= {f"{name}_bayes": value for name, value in self.bayes._asdict().items()}
        return read | {"warnings": [*self.warnings]}

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
        """The predictions of a classifier for held-out rows, on their device."""
        rows = self.feed.held_out(copy, split, step)
        return Predictions(rows, torch.cat([module(part) for part in rows.x.split(CHUNK)]).float())

    def _watched(self, found: Predictions, copy: int, most: int) -> dict[str, float]:
        """Accuracy, information of scores about pivots, and the penalty's reading."""
        watched = self.measures.watched(found.to(CPU), most)
        if self.regularisation is None:
            return watched
        rows, logits = (judged := self.measures.penalised(found)).rows, judged.logits
        seen = expose(logits=logits, pivot=self.code.of(copy, rows.pivots), raw_pivot=rows.pivots)
        return watched | self.regularisation.held_out(copy, seen)

    def _tested(self, copy: int) -> JudgedCopy:
        measures, seed = self.measures, stream(self.seed, copy, "measured")
        background, categories = measures.judging.background, measures.categories
        module = self.module(copy)
        read = self.predictions(module, copy, "test", 0)
        found = read.to(CPU)
        values, errors = measures.tested(found, self._watched(read, copy, len(read.rows)), seed)
        p_value = measures.p_value(found, seed) if measures.judging.permutations else None
        # The threshold is chosen on other rows than its significance.
        choice = self.predictions(module, copy, "choice", 0).to(CPU)
        tried = self.significance.curve(
            choice, background, categories, thresholds(choice, background)
        )
        curve = self.significance.curve(found, background, categories, tried.thresholds)
        if self.feed.chooses:
            values |= {
                "ams": float(curve.ams[tried.ams.argmax()]),
                "ams_certain": float(curve.certain[tried.certain.argmax()]),
            }
        return JudgedCopy(found, Measured(values, errors), p_value, curve)
