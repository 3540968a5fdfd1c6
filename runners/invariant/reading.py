"""Reading classifiers on held-out rows: how well they tell the label, and what their scores tell of
the pivots.

Information about pivots is that of the rows that a penalty is of: all of them, or those of
background alone.

R copies, N rows, C classes, P pivots.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from infobound.datasets.labelled.rows import Bayes, Described, LabelledRows
from infobound.regularizers.exposed import expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant import dependence, parity, ranking, sculpting
from infobound.runners.invariant.feeds import Held, LabelledFeed, chosen
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.significance import Curve, Significance, thresholds
from infobound.runners.training import permutation
from infobound.runners.training.batch_norms import estimate_anew
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.randomness import stream
from infobound.runners.training.readings import spread, together

CHUNK = 4096
"""Rows that are read at once, and those that averages of batch normalisation are estimated on."""
WATCHED, PERMUTED = 2000, 4000
"""Rows whose nearest neighbours are looked for at an evaluation in training, and for every
permutation.
"""
Metrics = dict[str, float]


class Copy(NamedTuple):
    """What one copy made of the test rows."""

    predictions: Predictions
    metrics: Metrics
    errors: Metrics
    """Standard errors over the rows, of some of the metrics."""
    curve: Curve


@dataclass(frozen=True)
class InvarianceReader:
    """Reads copies on held-out rows.

    `background` is the class that is not looked for, and `alone` whether a penalty is confined to
    it; `efficiency` is the share of it that passes the cut whose effect on the pivots is measured.
    """

    described: Described
    bayes: Bayes | None
    warnings: Sequence[str]
    feed: LabelledFeed
    code: PivotCode
    background: int
    alone: bool
    efficiency: float
    significance: Significance
    permutations: int
    seed: int

    def validate(
        self, networks: Ensemble, regularisation: Regularisation | None, step: int
    ) -> dict[str, Any]:
        """What costs little, after `step` steps."""
        return together([*self._cheap(networks, regularisation, "validation", step)])

    def pretrained(
        self, networks: Ensemble, regularisation: Regularisation | None
    ) -> dict[str, Any]:
        """The same of as many rows as are tested, before classifier and penalty meet."""
        found = together([*self._cheap(networks, regularisation, "pretrained", 0)])
        return {_before(name): value for name, value in found.items()}

    def test(self, networks: Ensemble, regularisation: Regularisation | None) -> list[Copy]:
        """Everything, of the test rows."""
        copies = []
        for copy in range(networks.replicates):
            module = self.module(networks, copy)
            found, rows = self.predictions(module, copy, "test", 0)
            cheap = self._told(found, len(found.labels)) | self._penalty(
                found, rows, regularisation, copy
            )
            metrics, errors = self._measured(found, cheap, copy)
            levels = self._thresholds(module, copy)
            curve = self.significance.curve(
                found, self.background, self._categories, levels.thresholds
            )
            best = int(levels.ams.argmax()), int(levels.certain.argmax())
            metrics |= {
                "ams": float(curve.ams[best[0]]),
                "ams_certain": float(curve.certain[best[1]]),
            }
            copies.append(Copy(found, metrics, errors, curve))
        return copies

    def metrics(self, copies: Sequence[Copy], before: dict[str, Any]) -> dict[str, Any]:
        """Those of result.json, with the standard error over copies, or of one copy over its
        rows.
        """
        found = together([copy.metrics for copy in copies])
        alone = len(copies) == 1
        errors = (
            copies[0].errors
            if alone
            else {name: spread(found[f"{name}_replicates"]).value for name in copies[0].metrics}
        )
        if self.permutations:
            found["mi_p_value"] = permutation.combined(found["mi_p_value_replicates"])
        means = {name: found[name] for name in copies[0].metrics}
        said: dict[str, Any] = {"stderr_of": "test rows" if alone else "replicates"}
        if self.bayes is not None:
            said |= {f"{name}_bayes": value for name, value in self.bayes._asdict().items()}
        stderr = {f"{name}_stderr": value for name, value in errors.items() if name != "mi_p_value"}
        return means | stderr | found | said | before | {"warnings": [*self.warnings]}

    def table(self, copies: Sequence[Copy]) -> dict[str, Tensor]:
        """Columns of all test rows of all copies: copy, place in the table, label, pivots, weight,
        logits, and log-odds against the background. A pivot that is called as another column has
        `pivot_` before its name.
        """
        classes = self.described.classes
        logits = ["logit"] if len(classes) == 2 else [f"logit_{name}" for name in classes[1:]]
        taken = {"copy", "row", "label", "weight", "score", *logits}
        names = [f"pivot_{name}" if name in taken else name for name, _ in self.described.pivots]
        parts = []
        for index, (found, *_) in enumerate(copies):
            columns = {
                "label": found.labels,
                **dict(zip(names, found.pivots.T, strict=True)),
                "weight": found.weights,
            }
            columns |= {
                **dict(zip(logits, found.logits.T, strict=True)),
                "score": -found.log_odds(self.background),
            }
            ahead = {"copy": torch.full((len(found.labels),), index)}
            ahead |= {} if self.feed.places is None else {"row": self.feed.places(index)}
            parts.append(
                ahead | {name: torch.from_numpy(values.copy()) for name, values in columns.items()}
            )
        return {name: torch.cat([columns[name] for columns in parts]) for name in parts[0]}

    @torch.no_grad()
    def predictions(
        self, module: nn.Module, copy: int, split: Held, step: int
    ) -> tuple[Predictions, LabelledRows]:
        """What a classifier made of held-out rows, and these."""
        rows = self.feed.held_out(copy, split, step)
        logits = torch.cat([module(part) for part in rows.x.split(CHUNK)]).float()
        return Predictions.of(logits, rows), rows

    def _cheap(
        self, networks: Ensemble, regularisation: Regularisation | None, split: Held, step: int
    ) -> Iterator[Metrics]:
        for copy in range(networks.replicates):
            found, rows = self.predictions(self.module(networks, copy), copy, split, step)
            yield self._told(found, WATCHED) | self._penalty(found, rows, regularisation, copy)

    def module(self, networks: Ensemble, copy: int) -> nn.Module:
        """A copy that is ready to be read, with averages of batch normalisation of its own."""
        module = networks.copy(copy).eval()
        estimate_anew(module, [self.feed.batches.look(copy).x[:CHUNK]])
        return module

    def _told(self, found: Predictions, most: int) -> Metrics:
        """How well the labels are told, and what the scores of up to so many rows tell of the
        pivots.
        """
        right = found.answers == found.labels
        told = found.predicted[np.arange(len(found.labels)), found.labels]
        areas, judged = self._areas(found), self._judged(found)
        return {
            "auc": statistics.fmean(area.value for area in areas),
            "accuracy": float(np.average(right, weights=found.weights)),
            "cross_entropy": -float(np.average(told, weights=found.weights)),
            "mi": (
                dependence.information(
                    judged.logits[:most], judged.pivots[:most], self._categories
                ).value
            ),
        }

    def _judged(self, found: Predictions) -> Predictions:
        """The rows that a penalty is of."""
        return found.where(found.labels == self.background) if self.alone else found

    def _areas(self, found: Predictions) -> list[ranking.Area]:
        """Of every class against the others; of two classes they are one."""
        classes = (
            range(1, len(self.described.classes))
            if len(self.described.classes) == 2
            else range(len(self.described.classes))
        )
        return [
            ranking.area(found.log_odds(label), found.labels == label, found.weights)
            for label in classes
        ]

    def _penalty(
        self,
        found: Predictions,
        rows: LabelledRows,
        regularisation: Regularisation | None,
        copy: int,
    ) -> Metrics:
        """What the penalty reads of the rows that it is confined to."""
        if regularisation is None:
            return {}
        logits = torch.from_numpy(found.logits).to(rows.x)
        if self.alone:
            background = rows.labels == self.background
            logits, rows = logits[background], chosen(rows, background)
        code = self.code.of(copy, rows.pivots)
        return regularisation.held_out(
            copy, expose(logits=logits, pivot=code, raw_pivot=rows.pivots)
        )

    def _measured(self, found: Predictions, cheap: Metrics, copy: int) -> tuple[Metrics, Metrics]:
        """All metrics but significance, and the standard errors of some over the rows."""
        seed = stream(self.seed, copy, "measured")
        of_label = dependence.information(
            found.logits, found.labels[:, None].astype(float), [len(self.described.classes)]
        )
        judged = self._judged(found)
        metrics = {**cheap, "mi_label": of_label.value, **self._by_pivot(judged)}
        metrics |= {**self._sculpted(found, seed), **self._parity(found)}
        if self.permutations:
            part = judged.logits[:PERMUTED], judged.pivots[:PERMUTED], self._categories
            metrics["mi_p_value"] = dependence.permuted(*part, self.permutations, seed).p_value
        size = found.weights.sum() ** 2 / (found.weights**2).sum()
        errors = {
            "auc": statistics.fmean(area.stderr for area in self._areas(found)),
            "accuracy": (metrics["accuracy"] * (1 - metrics["accuracy"]) / size) ** 0.5,
            "mi": dependence.information(judged.logits, judged.pivots, self._categories).stderr,
            "mi_label": of_label.stderr,
        }
        return metrics, errors

    def _by_pivot(self, found: Predictions) -> Metrics:
        """The information about each pivot by itself, where there are several."""
        if len(self.described.pivots) == 1:
            return {}
        each = zip(self.described.pivots, found.pivots.T, self._categories, strict=True)
        return {
            f"mi_of_{pivot.name}": (
                dependence.information(found.logits, values[:, None], [count]).value
            )
            for pivot, values, count in each
        }

    def _sculpted(self, found: Predictions, seed: int) -> Metrics:
        """What a cut does to the background's pivots, to the most sculpted of them."""
        alone = found.where(found.labels == self.background)
        score = -alone.log_odds(self.background)
        passes = score >= sculpting.threshold(score, self.efficiency, alone.weights)
        pivots = zip(alone.pivots.T, self._categories, strict=True)
        each = [
            sculpting.sculpted(pivot, passes, alone.weights, count, seed) for pivot, count in pivots
        ]
        worst = max(each, key=lambda one: one.divergence)
        return {
            "sculpting_nats": worst.divergence,
            "sculpting_by_chance_nats": worst.by_chance,
            "energy_distance": max(one.distance for one in each),
        }

    def _parity(self, found: Predictions) -> Metrics:
        """How differently groups are treated, where a pivot is one of them."""
        groups = [
            pivot.astype(np.intp)
            for pivot, count in zip(found.pivots.T, self._categories, strict=True)
            if count
        ]
        if not groups:
            return {}
        answers, labels, weights = found.answers, found.labels, found.weights
        return {
            "demographic_parity": max(
                parity.demographic_parity(answers, each, weights) for each in groups
            ),
            "equalised_odds": max(
                parity.equalised_odds(answers, labels, each, weights) for each in groups
            ),
        }

    def _thresholds(self, module: nn.Module, copy: int) -> Curve:
        """Thresholds with the significance of other rows than those of the test, to choose by."""
        found, _ = self.predictions(module, copy, "choice", 0)
        return self.significance.curve(
            found, self.background, self._categories, thresholds(found, self.background)
        )

    @property
    def _categories(self) -> list[int]:
        return [len(pivot.categories) for pivot in self.described.pivots]


def _before(name: str) -> str:
    """What a metric is called that was read after the pre-training."""
    stem = name.removesuffix("_replicates")
    return f"{stem}_pretrained{name.removeprefix(stem)}"
