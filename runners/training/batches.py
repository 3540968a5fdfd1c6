"""Training batches of pairs for every copy of a run.

R copies, B batch, N rows. Copy r draws from its own generators, so that it does not depend on the
others.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint, Views
from infobound.datasets.modes.interface import Modes
from infobound.errors import SettingError
from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.written import State
from infobound.runners.training.randomness import generator

LOOKED_AT = 4096
"""Number of fresh rows, or examples, that are shown before step 0."""


class Batches(Protocol):
    """An endless source of training batches."""

    def draw(self) -> tuple[Tensor, Tensor]:
        """Draw the next batch of every copy, x (R, B, dim_x) and y (R, B, dim_y)."""
        ...

    def look(self, copy: int) -> tuple[Tensor, Tensor]:
        """Training rows of one copy, x (N, dim_x) and y (N, dim_y), for parts that are fitted
        before step 0.
        """
        ...

    def state(self) -> State: ...

    def load(self, state: State) -> None: ...


class FreshBatches:
    """Samples every batch freshly from the distribution of its step: pairs, or samples with their
    labels (R, B).
    """

    def __init__(
        self,
        at: Callable[[int], Joint | Modes],
        *,
        batch_size: int,
        seed: int,
        replicates: int,
        device: torch.device,
    ) -> None:
        self._at, self._step = at, 0
        self._size, self._seed, self._device = batch_size, seed, device
        self._generators = [generator(device, seed, copy, "train") for copy in range(replicates)]

    def draw(self) -> tuple[Tensor, Tensor]:
        joint = self._at(self._step)
        pairs = [joint.sample(self._size, each) for each in self._generators]
        self._step += 1
        return torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs])

    def look(self, copy: int) -> tuple[Tensor, Tensor]:
        return self._at(0).sample(LOOKED_AT, generator(self._device, self._seed, copy, "look"))

    def state(self) -> State:
        return {"generators": [each.get_state() for each in self._generators], "step": self._step}

    def load(self, state: State) -> None:
        self._step = state["step"]
        for each, saved in zip(self._generators, state["generators"], strict=True):
            each.set_state(saved)


class RowOrder:
    """Draws minibatches of row indices of tables (R, N, ...) without replacement: every epoch has a
    new order and drops the incomplete last batch.

    Raises ValueError for batches with more rows than there are.
    """

    def __init__(self, *tables: Tensor, batch_size: int, seed: int) -> None:
        copies, rows = tables[0].shape[:2]
        if batch_size > rows:
            fitting = 2 ** (rows.bit_length() - 1)
            raise SettingError(
                "batch_size",
                f"must not exceed the {rows} training rows",
                batch_size,
                f"use {fitting}",
            )
        device = tables[0].device
        self._tables, self._rows, self._size = tables, rows, batch_size
        self._generators = [generator(device, seed, copy, "order") for copy in range(copies)]
        self._begins = rows * torch.arange(copies, device=device)[:, None]
        self._shuffle()

    def draw(self) -> Tensor:
        """Draw the row indices (R, B) of the next batch of every copy."""
        if self._position + self._size > self._order.shape[1]:
            self._shuffle()
        rows = self._order[:, self._position : self._position + self._size]
        self._position += self._size
        return rows

    def take(self, table: Tensor, rows: Tensor) -> Tensor:
        """Take the rows (R, B) from a table (R, N, ...), as (R, B, ...); one index_select is
        several times faster than indexing.
        """
        values, places = (
            (table[0], rows) if _shared(table) else (table.flatten(0, 1), rows + self._begins)
        )
        return values.index_select(0, places.flatten()).unflatten(0, rows.shape)

    def state(self) -> State:
        return {
            "shuffled": self._before,  # gives the order again, which is as long as the table
            "position": self._position,
            "digest": self._digest,
        }

    def load(self, state: State) -> None:
        """Load a state().

        Raises RunFailed if it belongs to other rows.
        """
        if state["digest"] != self._digest:
            raise RunFailed(
                "the rows have changed since the checkpoint was written; use another name, or"
                " force=true"
            )
        for each, saved in zip(self._generators, state["shuffled"], strict=True):
            each.set_state(saved)
        self._shuffle()
        self._position = state["position"]

    @cached_property
    def _digest(self) -> str:
        """A fingerprint of the rows."""
        digest = hashlib.sha256()
        for values in self._tables:
            held = values[0] if _shared(values) else values
            digest.update(held.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _shuffle(self) -> None:
        self._before = [each.get_state() for each in self._generators]
        self._order = torch.stack(
            [
                torch.randperm(self._rows, generator=each, device=each.device)
                for each in self._generators
            ]
        )
        self._position = 0


class RowBatches:
    """Minibatches of pairs x (R, N, dim_x), y (R, N, dim_y), in the order of RowOrder.

    Copies of the same rows may be expanded tensors, which are held once.

    Raises ValueError for batches with more rows than there are.
    """

    def __init__(self, x: Tensor, y: Tensor, *, batch_size: int, seed: int) -> None:
        self._x, self._y = x, y
        self._order = RowOrder(x, y, batch_size=batch_size, seed=seed)

    def draw(self) -> tuple[Tensor, Tensor]:
        rows = self._order.draw()
        return self._order.take(self._x, rows), self._order.take(self._y, rows)

    def look(self, copy: int) -> tuple[Tensor, Tensor]:
        return self._x[copy], self._y[copy]

    def state(self) -> State:
        return self._order.state()

    def load(self, state: State) -> None:
        self._order.load(state)


class SeenBatches:
    """Minibatches of the views of examples; each copy has its own order and noise."""

    def __init__(
        self, views: Views, *, batch_size: int, seed: int, replicates: int, device: torch.device
    ) -> None:
        x, y = (part.to(device).expand(replicates, -1, -1) for part in views.train_examples[:2])
        self._rows = RowBatches(x, y, batch_size=batch_size, seed=seed)
        self._views, self._seed, self._device = views, seed, device
        self._generators = [generator(device, seed, copy, "seen") for copy in range(replicates)]

    def draw(self) -> tuple[Tensor, Tensor]:
        pairs = [
            self._views.seen(x, y, each)
            for x, y, each in zip(*self._rows.draw(), self._generators, strict=True)
        ]
        return torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs])

    def look(self, copy: int) -> tuple[Tensor, Tensor]:
        x, y = self._rows.look(copy)
        return self._views.seen(
            x[:LOOKED_AT], y[:LOOKED_AT], generator(self._device, self._seed, copy, "look")
        )

    def state(self) -> State:
        return {"rows": self._rows.state(), "seen": [each.get_state() for each in self._generators]}

    def load(self, state: State) -> None:
        self._rows.load(state["rows"])
        for each, saved in zip(self._generators, state["seen"], strict=True):
            each.set_state(saved)


def _shared(values: Tensor) -> bool:
    """Whether all copies share one tensor."""
    return values.stride(0) == 0
