"""Measures of a classifier's predictions: their accuracy, and their dependence on the pivots.

N rows, C classes, P pivots.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from torch import Tensor

from infobound.datasets.labelled.rows import Described
from infobound.errors import SettingError
from infobound.runners.invariant import dependence, parity, ranking, sculpting
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.readings import Measured, Unread, Value, measured
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


SCULPTING = ("sculpting_nats", "sculpting_by_chance_nats", "energy_distance")
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

    def independent(self, found: Predictions) -> Predictions:
        """The rows to which the penalty applies, one of each unit: copies would be read as
        information, and the rows of a group as independent ones.
        """
        return self.penalised(found).of_each_unit()

    def penalised(self, found: Predictions) -> Predictions:
        """The rows to which the penalty applies."""
        return found if self.judging.alone is None else found.of_class(self.judging.alone)

    def watched(self, found: Predictions, most: int) -> Measured:
        """The accuracy, and the information of scores about the pivots, from a limited number of
        rows.
        """
        judged = self.independent(found)

        def right() -> Mapping[str, Value]:
            told = found.predicted.gather(1, found.labels[:, None])[:, 0]
            right, weights = (found.answers == found.labels).double(), found.weights
            if not weights.any():
                raise Unread("every weight is 0")
            share = float(weights @ right / weights.sum())
            return {
                "accuracy": Value(share, found.crowding * _stderr(share, weights)),
                "cross_entropy": Value(-float(weights @ told / weights.sum())),
            }

        def information() -> Mapping[str, Value]:
            return {"mi": self._information(judged, most)}

        return (
            measured(("auc",), lambda: {"auc": self._auc(found)})
            | measured(("accuracy", "cross_entropy"), right)
            | measured(("mi",), information)
        )

    def tested(self, found: Predictions, watched: Measured, seed: int) -> Measured:
        """All measures except significance and the test of independence, with those of
        `watched`.
        """
        judged, classes = self.independent(found), len(self.described.classes)
        alone = found.of_each_unit()

        def of_label() -> Mapping[str, Value]:
            read = dependence.information(alone.logits, alone.labels[:, None], [classes])
            return {"mi_label": Value(*read)}

        return (
            watched
            | measured(("mi_label",), of_label)
            | self._by_pivot(judged)
            | measured(SCULPTING, lambda: self._sculpted(found, seed))
            | self._parity(found)
        )

    def p_value(self, found: Predictions, seed: int) -> float:
        """The p-value of scores and pivots against independence, from some of the rows.

        Raises Unread if there are too few rows, or if no pivot varies.
        """
        judged = self.independent(found)
        return dependence.permuted(
            judged.logits[:PERMUTED],
            judged.pivots[:PERMUTED],
            self.categories,
            self.judging.permutations,
            seed,
        ).p_value

    def _information(self, judged: Predictions, most: int) -> Value:
        logits, pivots = judged.logits[:most], judged.pivots[:most]
        return Value(*dependence.information(logits, pivots, self.categories))

    def _auc(self, found: Predictions) -> Value:
        """The mean area below the ROC curve of every class against the others; that of one class
        if there are two.
        """
        classes = range(len(self.described.classes))
        areas = [
            ranking.area(found.log_odds(label), found.labels == label, found.weights)
            for label in (classes[1:] if len(classes) == 2 else classes)
        ]
        value, error = (statistics.fmean(each) for each in zip(*areas, strict=True))
        return Value(value, found.crowding * error)

    def _by_pivot(self, found: Predictions) -> Measured:
        """The information about each pivot separately, if there are several."""
        nothing = Measured({}, {}, {})
        if len(self.described.pivots) == 1:
            return nothing

        def of(index: int, name: str) -> Measured:
            def alone() -> Mapping[str, Value]:
                values, count = found.pivots[:, [index]], self.categories[index]
                return {name: Value(dependence.information(found.logits, values, [count]).value)}

            return measured((name,), alone)

        names = [f"mi_of_{pivot.name}" for pivot in self.described.pivots]
        return reduce(or_, [of(index, name) for index, name in enumerate(names)], nothing)

    def _sculpted(self, found: Predictions, seed: int) -> Mapping[str, Value]:
        """The effect of a cut on the background's most sculpted pivot."""
        alone = found.of_class(self.judging.background)
        varying = [
            (pivot, count)
            for pivot, count in zip(alone.pivots.T, self.categories, strict=True)
            if len(pivot) and pivot.amax() > pivot.amin()
        ]
        if not varying:
            raise Unread(f"no pivot varies among the {len(alone.labels)} background rows")
        if not alone.weights.any():
            raise Unread("every weight of the background is 0")
        score = -alone.log_odds(self.judging.background)
        passes = score >= sculpting.threshold(score, self.judging.efficiency, alone.weights)
        each = [
            sculpting.sculpted(pivot, passes, alone.weights, count, seed)
            for pivot, count in varying
        ]
        worst = max(each, key=lambda one: one.divergence)
        distance = max(one.distance for one in each)
        told = (worst.divergence, worst.by_chance, distance)
        return {name: Value(value) for name, value in zip(SCULPTING, told, strict=True)}

    def _parity(self, found: Predictions) -> Measured:
        """The largest differences between groups, if a pivot is categorical."""
        answers, labels, weights = found.answers, found.labels, found.weights
        groups = [
            pivot for pivot, count in zip(found.pivots.T, self.categories, strict=True) if count
        ]
        if not groups:
            return Measured({}, {}, {})

        def demographic() -> Mapping[str, Value]:
            each = [parity.demographic_parity(answers, group, weights) for group in groups]
            return {"demographic_parity": Value(max(each))}

        def odds() -> Mapping[str, Value]:
            each = [parity.equalised_odds(answers, labels, group, weights) for group in groups]
            return {"equalised_odds": Value(max(each))}

        return measured(("demographic_parity",), demographic) | measured(("equalised_odds",), odds)


def _stderr(share: float, weights: Tensor) -> float:
    """The standard error of a weighted share of rows (N,), which is not 0 where all rows agree.

    It is that of the share after two successes and two failures are added. Agresti and Coull 1998,
    https://doi.org/10.1080/00031305.1998.10480550
    """
    rows = float(weights.sum() ** 2 / weights.square().sum())
    moved = (share * rows + 2) / (rows + 4)
    return (moved * (1 - moved) / (rows + 4)) ** 0.5
