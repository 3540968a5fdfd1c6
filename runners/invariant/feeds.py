"""Feeds of labelled rows with pivots: training batches, of all rows and of one class, and held-out
rows, for every copy.

R copies, B batch, N rows, D features, P pivots.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledPopulation, LabelledRows, LabelledTable
from infobound.runners.training.batches import LOOKED_AT, RowBatches
from infobound.runners.training.randomness import generator, stream

Held = Literal["validation", "choice", "pretrained", "test"]
"""Held-out rows: to watch a training by, to choose a threshold by, and to read after the
pre-training and at the end.
"""


class LabelledBatches(Protocol):
    """Training batches without end."""

    def draw(self) -> LabelledRows:
        """The next batch of every copy: each field (R, B, ...)."""
        ...

    def look(self, copy: int) -> LabelledRows:
        """Training rows of one copy, (N, ...), for whatever is fitted before step 0."""
        ...

    def state(self) -> dict[str, Any]: ...

    def load(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class LabelledFeed:
    """What a run of R copies reads."""

    batches: LabelledBatches
    alone: LabelledBatches | None
    """Batches of the one class that a penalty is confined to, None where it is not."""
    held_out: Callable[[int, Held, int], LabelledRows]
    """Rows (N, ...) of a copy, for a use after so many steps."""
    places: Callable[[int], Tensor] | None
    """(N,) where a copy's test rows stand in their table; None for rows sampled for the
    occasion.
    """


class FreshLabelled:
    """Every batch is sampled anew, all of it of one class where `label` names it."""

    def __init__(
        self,
        population: LabelledPopulation,
        label: int | None,
        *,
        batch_size: int,
        seed: int,
        replicates: int,
        device: torch.device,
    ) -> None:
        self._population, self._label, self._size = population, label, batch_size
        self._seed, self._device = seed, device
        self._generators = [
            generator(device, seed, copy, "train", label) for copy in range(replicates)
        ]

    def draw(self) -> LabelledRows:
        return stacked(
            [self._population.sample(self._size, each, self._label) for each in self._generators]
        )

    def look(self, copy: int) -> LabelledRows:
        return self._population.sample(
            LOOKED_AT, generator(self._device, self._seed, copy, "look", self._label), self._label
        )

    def state(self) -> dict[str, Any]:
        return {"generators": [each.get_state() for each in self._generators]}

    def load(self, state: Mapping[str, Any]) -> None:
        for each, saved in zip(self._generators, state["generators"], strict=True):
            each.set_state(saved)


class TableLabelled:
    """Minibatches without replacement from as many rows of every copy, every epoch in a new order
    less a ragged tail.
    """

    def __init__(self, copies: Sequence[LabelledRows], *, batch_size: int, seed: int) -> None:
        self._copies, rows = copies, stacked(copies)
        beside = [
            rows.pivots,
            rows.labels.unsqueeze(-1),
            *([] if rows.weights is None else [rows.weights.unsqueeze(-1)]),
        ]
        self._pivots = rows.pivots.shape[-1]
        self._rows = RowBatches(rows.x, torch.cat(beside, dim=-1), batch_size=batch_size, seed=seed)

    def draw(self) -> LabelledRows:
        x, beside = self._rows.draw()
        pivots, label, *weights = beside.split(
            [self._pivots, *[1] * (beside.shape[-1] - self._pivots)], dim=-1
        )
        return LabelledRows(
            x, label[..., 0].long(), pivots, weights[0][..., 0] if weights else None
        )

    def look(self, copy: int) -> LabelledRows:
        return self._copies[copy]

    def state(self) -> dict[str, Any]:
        return self._rows.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self._rows.load(state)


def sampled(
    population: LabelledPopulation,
    alone: int | None,
    *,
    batch_size: int,
    eval_rows: int,
    test_rows: int,
    seed: int,
    replicates: int,
    device: torch.device,
) -> LabelledFeed:
    """Rows sampled on the device, fresh ones for every use."""
    at_once: Any = {
        "batch_size": batch_size,
        "seed": seed,
        "replicates": replicates,
        "device": device,
    }

    def held_out(copy: int, split: Held, step: int) -> LabelledRows:
        size = eval_rows if split == "validation" else test_rows
        return population.sample(size, generator(device, seed, copy, split, step))

    confined = None if alone is None else FreshLabelled(population, alone, **at_once)
    return LabelledFeed(FreshLabelled(population, None, **at_once), confined, held_out, None)


def tabled(
    table: LabelledTable,
    alone: int | None,
    *,
    batch_size: int,
    eval_rows: int,
    seed: int,
    replicates: int,
    device: torch.device,
) -> LabelledFeed:
    """Every copy's own split of a table; up to `eval_rows` of its validation rows are watched, and
    the test rows read whole.

    Raises ValueError for batches of more rows than there are.
    """
    splits = [
        table.split(generator(torch.device("cpu"), seed, copy, "split"))
        for copy in range(replicates)
    ]
    train, validation, test = (
        [placed(rows, device) for rows in part] for part in list(zip(*splits, strict=True))[:3]
    )

    def held_out(copy: int, split: Held, step: int) -> LabelledRows:
        if split in ("test", "pretrained"):
            return test[copy]
        return spread(validation[copy], eval_rows) if split == "validation" else validation[copy]

    confined = None
    if alone is not None:
        only = [chosen(rows, rows.labels == alone) for rows in train]
        confined = TableLabelled(
            only, batch_size=min(batch_size, len(only[0].labels)), seed=stream(seed, "alone")
        )
    batches = TableLabelled(train, batch_size=batch_size, seed=seed)
    return LabelledFeed(batches, confined, held_out, lambda copy: splits[copy].places)


def placed(rows: LabelledRows, device: torch.device) -> LabelledRows:
    """The rows on a device."""
    weights = None if rows.weights is None else rows.weights.to(device)
    return LabelledRows(rows.x.to(device), rows.labels.to(device), rows.pivots.to(device), weights)


def stacked(copies: Sequence[LabelledRows]) -> LabelledRows:
    """(R, N, ...) of rows (N, ...)."""
    x, labels, pivots, weights = zip(*copies, strict=True)
    counted = None if weights[0] is None else torch.stack(weights)
    return LabelledRows(torch.stack(x), torch.stack(labels), torch.stack(pivots), counted)


def chosen(rows: LabelledRows, which: Tensor) -> LabelledRows:
    """Of rows (N, ...) those that a mask (N,) or numbers of rows name."""
    weights = None if rows.weights is None else rows.weights[which]
    return LabelledRows(rows.x[which], rows.labels[which], rows.pivots[which], weights)


def spread(rows: LabelledRows, most: int) -> LabelledRows:
    """Up to so many rows, evenly from first to last."""
    count = len(rows.labels)
    return (
        rows
        if count <= most
        else chosen(rows, torch.linspace(0, count - 1, most, device=rows.x.device).long())
    )
