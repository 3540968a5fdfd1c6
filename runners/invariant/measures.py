"""What is measured of a classifier's predictions: how well they tell the label, and what they tell
of the pivots.

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
"""Rows whose nearest neighbours are looked for at every permutation."""


@dataclass(frozen=True, kw_only=True)
class Judging(Settings):
    """Which held-out rows are read, and what of them.

    `background` is the number of the class that is not looked for; with `background_only` a
    penalty, and the information about pivots, are of its rows alone. A training is watched by
    `eval_rows` and tested by `test_rows`. Independence is tested by `permutations`, 0 for no test,
    and `efficiency` is the share of the background that passes the cut whose effect on the pivots
    is measured.

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
                "must be a share of the background above 0 and below 1",
                self.efficiency,
            )

    @property
    def alone(self) -> int | None:
        """The class that a penalty is confined to, None where it is not."""
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
    """Numbers by their names in the metrics, and standard errors over the rows of some."""

    values: dict[str, float]
    errors: dict[str, float]


@dataclass(frozen=True)
class Measures:
    """Measures predictions, which lie on the CPU, of rows as they are described."""

    described: Described
    judging: Judging

    @property
    def categories(self) -> list[int]:
        """How many each pivot has, 0 for numbers."""
        return [len(pivot.categories) for pivot in self.described.pivots]

    @property
    def units(self) -> Mapping[str, Unit]:
        """Those of what is measured, by name."""
        by_pivot: dict[str, Unit] = {f"mi_of_{one.name}": "nats" for one in self.described.pivots}
        return UNITS | by_pivot

    def penalised(self, found: Predictions) -> Predictions:
        """The rows that a penalty is of."""
        return found if self.judging.alone is None else found.of_class(self.judging.alone)

    def watched(self, found: Predictions, most: int) -> dict[str, float]:
        """How well the labels are told, and what the scores of up to so many rows tell of the
        pivots.
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
        """Everything but significance and the test of independence, with what was `watched`."""
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
        """That of scores and pivots of some of the rows, against independence."""
        judged = self.penalised(found)
        return dependence.permuted(
            judged.logits[:PERMUTED],
            judged.pivots[:PERMUTED],
            self.categories,
            self.judging.permutations,
            seed,
        ).p_value

    def _areas(self, found: Predictions) -> Sequence[ranking.Area]:
        """Of every class against the others; of two classes they are one."""
        classes = range(len(self.described.classes))
        return [
            ranking.area(found.log_odds(label), found.labels == label, found.weights)
            for label in (classes[1:] if len(classes) == 2 else classes)
        ]

    def _by_pivot(self, found: Predictions) -> dict[str, float]:
        """The information about each pivot by itself, where there are several."""
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
        """What a cut does to the background's pivots, to the most sculpted of them."""
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
        """How differently groups are treated, where a pivot is one of them."""
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
