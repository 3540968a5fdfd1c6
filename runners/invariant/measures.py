"""Measures of a classifier's predictions: their accuracy, and their dependence on the pivots.

N rows, C classes, P pivots.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from infobound.datasets.labelled.rows import Described
from infobound.errors import SettingError
from infobound.runners.invariant import dependence, parity, ranking, sculpting
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.runs.metrics import Unit
from infobound.runners.training import limits
from infobound.runners.training.settings import Settings

PERMUTED = 4000
"""Maximum number of rows whose nearest neighbours are computed for every permutation."""


@dataclass(frozen=True, kw_only=True)
class Judging(Settings):
    """The held-out rows and their measures.

    `background` is the index of the background class; with `background_only`, the penalty and the
    information about pivots only use its rows. Evaluations during training read `eval_rows` rows,
    the final test reads `test_rows`. Independence is tested with `permutations`, 0 for no test.
    `efficiency` is the share of the background that passes the cut whose effect on the pivots is
    measured.

    Raises ValueError for values out of range.
    """

    background: int
    background_only: bool
    eval_rows: int
    test_rows: int
    permutations: int
    efficiency: float

    def __post_init__(self) -> None:
        limits.at_least(self, permutations=0, eval_rows=100, test_rows=100)
        if not 0 < self.efficiency < 1:
            raise SettingError(
                "efficiency",
                "must be a share of the background, above 0 and below 1",
                self.efficiency,
            )

    @property
    def alone(self) -> int | None:
        """The class that the penalty is restricted to, None without a restriction."""
        return self.background if self.background_only else None


UNITS: dict[str, Unit] = {
    "auc": "share",
    "accuracy": "share",
    "cross_entropy": "nats",
    "mi": "nats",
    "mi_label": "nats",
    "sculpting_nats": "nats",
    "sculpting_by_chance_nats": "nats",
    "demographic_parity": "share",
    "equalised_odds": "share",
}


class Measured(NamedTuple):
    """Values by their names in the metrics, with standard errors over rows for some."""

    values: dict[str, float]
    errors: dict[str, float]


@dataclass(frozen=True)
class Measures:
    """Measures predictions on the CPU for rows with the given description."""

    described: Described
    judging: Judging

    @property
    def categories(self) -> list[int]:
        """The number of categories of each pivot, 0 for numeric pivots."""
        return [len(pivot.categories) for pivot in self.described.pivots]

    @property
    def units(self) -> Mapping[str, Unit]:
        """The units of the measures, by name."""
        by_pivot: dict[str, Unit] = {f"mi_of_{one.name}": "nats" for one in self.described.pivots}
        return UNITS | by_pivot

    def penalised(self, found: Predictions) -> Predictions:
        """The rows to which the penalty applies."""
        return found if self.judging.alone is None else found.of_class(self.judging.alone)

    def watched(self, found: Predictions, most: int) -> dict[str, float]:
        """The accuracy, and the information of scores about the pivots, from a limited number of
        rows.
        """
        told = found.predicted.gather(1, found.labels[:, None])[:, 0]
        right, weights = (found.answers == found.labels).double(), found.weights
        judged = self.penalised(found)
        mi = dependence.information(judged.logits[:most], judged.pivots[:most], self.categories)
        return {
            "auc": statistics.fmean(area.value for area in self._areas(found)),
            "accuracy": float(weights @ right / weights.sum()),
            "cross_entropy": -float(weights @ told / weights.sum()),
            "mi": mi.value,
        }

    def tested(self, found: Predictions, watched: dict[str, float], seed: int) -> Measured:
        """All measures except significance and the test of independence, with those of
        `watched`.
        """
        judged, classes = self.penalised(found), len(self.described.classes)
        of_label = dependence.information(found.logits, found.labels[:, None], [classes])
        of_pivots = dependence.information(judged.logits, judged.pivots, self.categories)
        values = {**watched, "mi_label": of_label.value, **self._by_pivot(judged)}
        values |= {**self._sculpted(found, seed), **self._parity(found)}
        rows = float(found.weights.sum() ** 2 / found.weights.square().sum())
        errors = {
            "auc": statistics.fmean(area.stderr for area in self._areas(found)),
            "accuracy": (values["accuracy"] * (1 - values["accuracy"]) / rows) ** 0.5,
            "mi": of_pivots.stderr,
            "mi_label": of_label.stderr,
        }
        return Measured(values, errors)

    def p_value(self, found: Predictions, seed: int) -> float:
        """The p-value of scores and pivots against independence, from some of the rows."""
        judged = self.penalised(found)
        return dependence.permuted(
            judged.logits[:PERMUTED],
            judged.pivots[:PERMUTED],
            self.categories,
            self.judging.permutations,
            seed,
        ).p_value

    def _areas(self, found: Predictions) -> Sequence[ranking.Area]:
        """The area below the ROC curve of every class against the others; one for two classes."""
        classes = range(len(self.described.classes))
        return [
            ranking.area(found.log_odds(label), found.labels == label, found.weights)
            for label in (classes[1:] if len(classes) == 2 else classes)
        ]

    def _by_pivot(self, found: Predictions) -> dict[str, float]:
        """The information about each pivot separately, if there are several."""
        if len(self.described.pivots) == 1:
            return {}
        each = zip(self.described.pivots, found.pivots.T, self.categories, strict=True)
        return {
            f"mi_of_{pivot.name}": (
                dependence.information(found.logits, values[:, None], [count]).value
            )
            for pivot, values, count in each
        }

    def _sculpted(self, found: Predictions, seed: int) -> dict[str, float]:
        """The effect of a cut on the background's most sculpted pivot."""
        background = self.judging.background
        alone = found.of_class(background)
        score = -alone.log_odds(background)
        passes = score >= sculpting.threshold(score, self.judging.efficiency, alone.weights)
        each = [
            sculpting.sculpted(pivot, passes, alone.weights, count, seed)
            for pivot, count in zip(alone.pivots.T, self.categories, strict=True)
        ]
        worst = max(each, key=lambda one: one.divergence)
        return {
            "sculpting_nats": worst.divergence,
            "sculpting_by_chance_nats": worst.by_chance,
            "energy_distance": max(one.distance for one in each),
        }

    def _parity(self, found: Predictions) -> dict[str, float]:
        """The differences between groups, if a pivot is categorical."""
        answers, labels, weights = found.answers, found.labels, found.weights
        groups = [
            pivot for pivot, count in zip(found.pivots.T, self.categories, strict=True) if count
        ]
        if not groups:
            return {}
        return {
            "demographic_parity": max(
                parity.demographic_parity(answers, each, weights) for each in groups
            ),
            "equalised_odds": max(
                parity.equalised_odds(answers, labels, each, weights) for each in groups
            ),
        }
