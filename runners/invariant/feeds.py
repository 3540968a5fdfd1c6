"""Feeds of labelled rows with pivots, for every copy: training batches of all rows and of one
class, and held-out rows.

R copies, B batch, N rows, D features, P pivots.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledPopulation, LabelledRows, LabelledTable
from infobound.runners.runs.written import State
from infobound.runners.training.batches import LOOKED_AT, RowOrder
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.settings import Execution

Held = Literal["validation", "choice", "pretrained", "test"]
"""Uses of held-out rows: evaluation during training, the choice of a threshold, and the readings
after pre-training and at the end.
"""


class LabelledBatches(Protocol):
    """An endless source of training batches."""

    def draw(self) -> LabelledRows:
        """Draw the next batch of every copy: each field (R, B, ...)."""
        ...

    def look(self, copy: int) -> LabelledRows:
        """Training rows of one copy, (N, ...), for parts that are fitted before step 0."""
        ...

    def state(self) -> State: ...

    def load(self, state: State) -> None: ...


@dataclass(frozen=True)
class LabelledFeed:
    """The data of a run of R copies."""

    batches: LabelledBatches
    alone: LabelledBatches | None
    """Batches of the class that the penalty is restricted to, None without a restriction."""
    held_out: Callable[[int, Held, int], LabelledRows]
    """Rows (N, ...) of a copy, for a use after a number of steps."""
    places: Callable[[int], Tensor] | None
    """Positions (N,) of a copy's test rows in their table; None for freshly sampled rows."""
    chooses: bool = True
    """Whether there are separate rows to choose a threshold on."""

    @property
    def penalised(self) -> LabelledBatches:
        """Batches of the rows to which the penalty applies."""
        return self.batches if self.alone is None else self.alone


class FreshLabelled:
    """Samples every batch freshly, from class `label` if it is given."""

    def __init__(
        self,
        population: LabelledPopulation,
        label: int | None,
        *,
        batch_size: int,
        execution: Execution,
    ) -> None:
        self._population, self._label, self._size = population, label, batch_size
        self._seed, self._device = execution.seed, execution.place
        self._generators = [
            generator(self._device, self._seed, copy, "train", label)
            for copy in range(execution.replicates)
        ]

    def draw(self) -> LabelledRows:
        return LabelledRows.stacked(
            [self._population.sample(self._size, each, self._label) for each in self._generators]
        )

    def look(self, copy: int) -> LabelledRows:
        return self._population.sample(
            LOOKED_AT, generator(self._device, self._seed, copy, "look", self._label), self._label
        )

    def state(self) -> State:
        return {"generators": [each.get_state() for each in self._generators]}

    def load(self, state: State) -> None:
        for each, saved in zip(self._generators, state["generators"], strict=True):
            each.set_state(saved)


class TableLabelled:
    """Minibatches of rows of every copy, in the order of RowOrder."""

    def __init__(self, copies: Sequence[LabelledRows], *, batch_size: int, seed: int) -> None:
        self._copies, self._rows = copies, LabelledRows.stacked(copies)
        rows, weights = self._rows, self._rows.weights
        tables = [rows.x, rows.labels, rows.pivots, *([] if weights is None else [weights])]
        self._order = RowOrder(*tables, batch_size=batch_size, seed=seed)

    def draw(self) -> LabelledRows:
        numbers = self._order.draw()
        return self._rows.each(lambda table: self._order.take(table, numbers))

    def look(self, copy: int) -> LabelledRows:
        return self._copies[copy]

    def state(self) -> State:
        return self._order.state()

    def load(self, state: State) -> None:
        self._order.load(state)


def of_population(
    population: LabelledPopulation,
    alone: int | None,
    *,
    batch_size: int,
    eval_rows: int,
    test_rows: int,
    execution: Execution,
) -> LabelledFeed:
    """A feed of rows sampled on the device, fresh for every use."""
    device = execution.place

    def held_out(copy: int, split: Held, step: int) -> LabelledRows:
        size = eval_rows if split == "validation" else test_rows
        return population.sample(size, generator(device, execution.seed, copy, split, step))

    def batches(label: int | None) -> FreshLabelled:
        return FreshLabelled(population, label, batch_size=batch_size, execution=execution)

    confined = None if alone is None else batches(alone)
    return LabelledFeed(batches(None), confined, held_out, None)


def of_scored(
    scored: Sequence[LabelledRows], *, batch_size: int, execution: Execution
) -> LabelledFeed:
    """A feed of all rows of a table, as every copy sees them, for reading; no rows choose a
    threshold.
    """
    copies = [rows.to(execution.place) for rows in scored]
    size = min(batch_size, len(copies[0]))
    batches = TableLabelled(copies, batch_size=size, seed=execution.seed)
    given = copies[0].places
    places = torch.arange(len(copies[0])) if given is None else given
    return LabelledFeed(
        batches, None, lambda copy, split, step: copies[copy], lambda copy: places, chooses=False
    )


def of_table(
    table: LabelledTable,
    alone: int | None,
    *,
    batch_size: int,
    eval_rows: int,
    execution: Execution,
) -> LabelledFeed:
    """A feed of every copy's own split of a table; evaluations during training use up to
    `eval_rows` validation rows, and the final test uses all test rows.

    Raises ValueError for batches with more rows than there are.
    """
    seed, device = execution.seed, execution.place
    splits = [
        table.split(generator(torch.device("cpu"), seed, copy, "split"))
        for copy in range(execution.replicates)
    ]
    train = [split.train.to(device) for split in splits]
    validation = [split.validation.to(device) for split in splits]
    test = [split.test.to(device) for split in splits]

    def held_out(copy: int, split: Held, step: int) -> LabelledRows:
        if split in ("test", "pretrained"):
            return test[copy]
        return validation[copy].at_most(eval_rows) if split == "validation" else validation[copy]

    confined = None
    if alone is not None:
        only = [rows.of_class(alone) for rows in train]
        size = min(batch_size, len(only[0]))
        confined = TableLabelled(only, batch_size=size, seed=stream(seed, "alone"))
    batches = TableLabelled(train, batch_size=batch_size, seed=seed)
    return LabelledFeed(batches, confined, held_out, lambda copy: splits[copy].places)
