"""The facts about a run's training rows that its classifiers need to score other rows.

R copies, N rows, D features, P pivots, E columns of their code.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from infobound.datasets.labelled.recoded import recoded
from infobound.datasets.labelled.rows import (
    Described,
    LabelledRows,
    LabelledTable,
    Pivot,
)
from infobound.errors import SettingError
from infobound.runners.invariant.feeds import LabelledFeed
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import State
from infobound.runners.training.randomness import generator

CPU = torch.device("cpu")


class Known:
    """A part of a task: the columns of its rows, the medians of their features, and the indices of
    its test rows in their table.
    """

    def __init__(self, described: Described, feed: LabelledFeed, copies: int) -> None:
        self._state: State = {
            "features": [*described.features],
            "classes": [*described.classes],
            "pivots": [[pivot.name, [*pivot.categories]] for pivot in described.pivots],
            "medians": [feed.batches.look(copy).x.median(0).values.cpu() for copy in range(copies)],
            "table": digest(described) if isinstance(described, LabelledTable) else "",
            "tested": [] if feed.places is None else [feed.places(copy) for copy in range(copies)],
        }

    def state(self) -> State:
        return self._state

    def load(self, state: State) -> None:
        self._state = state


@dataclass(frozen=True, eq=False)
class Scored:
    """All rows of a table, with the columns of the classifiers' training."""

    features: Sequence[str]
    classes: Sequence[str]
    pivots: Sequence[Pivot]
    warnings: Sequence[str]
    copies: Sequence[LabelledRows]
    """The rows as each classifier sees them."""


def scored(run: TrainedRun, table: LabelledTable, seed: int) -> LabelledTable | Scored:
    """The rows that a run's classifiers should score: all rows of another table, or the test rows
    of its own table.

    Raises ValueError if the columns differ, or if the test rows are not those of the run.
    """
    known = run.part("known")
    if digest(table) == known["table"]:
        for copy, tested in enumerate(known["tested"]):
            places = table.split(generator(CPU, seed, copy, "split")).places
            if not torch.equal(places, tested):
                raise SettingError(
                    "load",
                    f"reads the rows that {run.path} tested, which depend on seed,"
                    " dataset.validation, dataset.test and dataset.groups",
                    remedy="keep these as in the run",
                )
        return table
    pivots = [Pivot(name, categories) for name, categories in known["pivots"]]
    found = Scored(known["features"], known["classes"], pivots, table.warnings, [])
    coded = recoded(table, table.whole(), found)
    copies = [
        replace(coded, x=coded.x.where(~coded.x.isnan(), median)) for median in known["medians"]
    ]
    return replace(found, copies=copies)


def digest(table: LabelledTable) -> str:
    """A fingerprint of a table's columns and rows."""
    rows = table.whole()
    named = [*table.features, *table.classes, *map(str, table.pivots)]
    found = hashlib.sha256("\n".join(named).encode())
    for values in (rows.x, rows.labels, rows.pivots):
        found.update(values.contiguous().numpy().tobytes())
    return found.hexdigest()
