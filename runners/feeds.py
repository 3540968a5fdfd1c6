"""Feeds: training batches and held-out blocks of pairs, for every copy of a run.

R copies, B batch, N rows. Copy r draws from generators of its own, so that it does not depend on the others.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from datasets import transforms
from datasets.interfaces import Joint, Rows
from runners.errors import RunFailed
from runners.randomness import generator

Split = Literal["train", "validation", "test"]
LOOKED_AT = 4096
"""Fresh rows that are looked at before step 0."""
MONITORED = 4
"""Training batches whose rows make one evaluation during training: about five steps' work even where all pairs are scored."""


class Block(NamedTuple):
    """Pairs that are scored together; the rows before `first` were read in another block and only serve as partners."""

    x: Tensor
    y: Tensor
    first: int


class Part(NamedTuple):
    """One split of every copy; numbers of rows may differ by one between folds."""

    x: Sequence[Tensor]
    """R tables (N, dim_x)."""
    y: Sequence[Tensor]
    """R tables (N, dim_y)."""


class Batches(Protocol):
    """Training batches without end."""

    def draw(self) -> tuple[Tensor, Tensor]:
        """The next batch of every copy, x (R, B, dim_x) and y (R, B, dim_y)."""
        ...

    def look(self, copy: int) -> tuple[Tensor, Tensor]:
        """Training rows of one copy, x (N, dim_x) and y (N, dim_y), for whatever is fitted before step 0."""
        ...

    def state(self) -> dict[str, Any]: ...

    def load(self, state: Mapping[str, Any]) -> None: ...


class HeldOut(Protocol):
    """Pairs that no critic was trained on."""

    @property
    def least(self) -> int:
        """Rows of the smallest block."""
        ...

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        """What copy `copy` is read on after `step` steps."""
        ...


class FreshBatches:
    """Every batch is sampled anew, from the distribution of its step."""

    def __init__(
        self, at: Callable[[int], Joint], *, batch_size: int, seed: int, replicates: int, device: torch.device
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

    def state(self) -> dict[str, Any]:
        return {"generators": [each.get_state() for each in self._generators], "step": self._step}

    def load(self, state: Mapping[str, Any]) -> None:
        self._step = state["step"]
        for each, saved in zip(self._generators, state["generators"], strict=True):
            each.set_state(saved)


class RowBatches:
    """Minibatches without replacement from x (R, N, dim_x), y (R, N, dim_y), every epoch in a new order less a ragged tail."""

    def __init__(self, x: Tensor, y: Tensor, *, batch_size: int, seed: int) -> None:
        if batch_size > x.shape[1]:
            raise ValueError(f"batch_size must not exceed the {x.shape[1]} training rows, got {batch_size}")
        self._x, self._y, self._size = x, y, batch_size
        self._generators = [generator(x.device, seed, copy, "order") for copy in range(len(x))]
        self._copies = torch.arange(len(x), device=x.device)[:, None]
        self._order = self._shuffled()
        self._position = 0

    def draw(self) -> tuple[Tensor, Tensor]:
        if self._position + self._size > self._order.shape[1]:
            self._order, self._position = self._shuffled(), 0
        rows = self._order[:, self._position : self._position + self._size]
        self._position += self._size
        return self._x[self._copies, rows], self._y[self._copies, rows]

    def look(self, copy: int) -> tuple[Tensor, Tensor]:
        return self._x[copy], self._y[copy]

    def state(self) -> dict[str, Any]:
        return {
            "generators": [each.get_state() for each in self._generators],
            "order": self._order,
            "position": self._position,
            "digest": self._digest,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        if state["digest"] != self._digest:
            raise RunFailed("the rows have changed since the checkpoint was written; use another name, or force=true")
        for each, saved in zip(self._generators, state["generators"], strict=True):
            each.set_state(saved)
        self._order, self._position = state["order"].to(self._order.device), state["position"]

    @cached_property
    def _digest(self) -> str:
        """A fingerprint of the training rows."""
        digest = hashlib.sha256()
        for values in (self._x, self._y):
            digest.update(values.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _shuffled(self) -> Tensor:
        rows = self._x.shape[1]
        return torch.stack([torch.randperm(rows, generator=each, device=each.device) for each in self._generators])


@dataclass(frozen=True)
class FreshHeldOut:
    """Pairs sampled for the occasion: `validation_size` rows in training, `test_blocks` blocks of `test_size` at the end."""

    joint: Joint
    validation_size: int
    test_blocks: int
    test_size: int
    seed: int
    device: torch.device

    @property
    def least(self) -> int:
        return min(self.validation_size, self.test_size)

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        source = generator(self.device, self.seed, copy, split, step)
        count, size = (1, self.validation_size) if split == "validation" else (self.test_blocks, self.test_size)
        for _ in range(count):
            yield Block(*self.joint.sample(size, source), first=0)


@dataclass(frozen=True)
class RowHeldOut:
    """Finite splits, read whole in blocks of one size up to `block_size`."""

    splits: Mapping[Split, Part]
    block_size: int

    @property
    def least(self) -> int:
        return min(self._size(len(x)) for part in self.splits.values() for x in part.x)

    def _size(self, rows: int) -> int:
        return -(-rows // -(-rows // self.block_size))

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        x, y = (values[copy] for values in self.splits[split])
        size = self._size(len(x))
        for begin in range(0, len(x), size):
            start = min(begin, len(x) - size)
            yield Block(x[start : start + size], y[start : start + size], first=begin - start)


@dataclass(frozen=True)
class Feed:
    """What a run of R copies reads: batches to train on, blocks to be judged by."""

    batches: Batches
    held_out: HeldOut
    zeros: tuple[Tensor, Tensor]
    """A batch of the shapes to come, x (R, B, dim_x) and y (R, B, dim_y)."""


def sampled(
    joint: Joint,
    *,
    train_rows: int | None,
    batch_size: int,
    eval_batches: int,
    eval_batch_size: int,
    seed: int,
    replicates: int,
    device: torch.device,
) -> Feed:
    """Pairs sampled on the device: fresh for every batch, or `train_rows` fixed ones a copy; held-out ones always fresh."""
    if train_rows is None:
        batches = FreshBatches(lambda _: joint, batch_size=batch_size, seed=seed, replicates=replicates, device=device)
    else:
        pairs = [joint.sample(train_rows, generator(device, seed, copy, "rows")) for copy in range(replicates)]
        x, y = (torch.stack(values) for values in zip(*pairs, strict=True))
        batches = RowBatches(x, y, batch_size=batch_size, seed=seed)
    held_out = FreshHeldOut(joint, min(eval_batch_size, MONITORED * batch_size), eval_batches, eval_batch_size, seed, device)
    return Feed(batches, held_out, zeros(replicates, batch_size, joint.dim_x, joint.dim_y, device))


def tabled(rows: Rows, *, batch_size: int, eval_batch_size: int, seed: int, replicates: int, device: torch.device) -> Feed:
    """Minibatches of a finite table's training rows; each of its splits is read whole.

    Raises ValueError if a split would hold fewer than four rows, or for replicates of folds.
    """
    splits = split_rows(rows, seed=seed, replicates=replicates, device=device)
    x, y = (_even(copies) for copies in splits["train"])
    batches = RowBatches(x, y, batch_size=batch_size, seed=seed)
    return Feed(batches, RowHeldOut(splits, eval_batch_size), zeros(len(x), batch_size, x.shape[-1], y.shape[-1], device))


def every_row(
    dataset: Joint | Rows, *, size: int, seed: int, replicates: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Rows for estimators that train nothing: `size` sampled ones a copy, or the finite ones, transformed, whole and once."""
    if isinstance(dataset, Joint):
        return [dataset.sample(size, generator(device, seed, copy, "test")) for copy in range(replicates)]
    if replicates > 1:
        raise ValueError(f"replicates must be 1 where every row is read, got {replicates}")
    fit = getattr(transforms, dataset.transform)
    return [(fit(dataset.x)(dataset.x).to(device), fit(dataset.y)(dataset.y).to(device))]


def zeros(replicates: int, batch_size: int, dim_x: int, dim_y: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A batch of zeros, x (R, B, dim_x) and y (R, B, dim_y)."""
    return torch.zeros(replicates, batch_size, dim_x, device=device), torch.zeros(replicates, batch_size, dim_y, device=device)


def split_rows(rows: Rows, *, seed: int, replicates: int, device: torch.device) -> dict[Split, Part]:
    """The training, validation and test rows of every copy, transformed as fitted on the copy's own training rows.

    Each copy has a split of its own; with `rows.folds` there are that many copies of one order of the rows, and each row is
    a test row of exactly one.

    Raises ValueError if a split would hold fewer than four rows, or for replicates of folds.
    """
    if rows.folds is not None and replicates > 1:
        raise ValueError(
            f"replicates must be 1 with dataset.folds, which are copies themselves, got {replicates}; sweep over seed"
        )
    chosen = [
        _own_split(rows, seed, copy) if rows.folds is None else _fold(rows, rows.folds, seed, copy)
        for copy in range(rows.folds or replicates)
    ]
    sizes = [min(map(len, part)) for part in zip(*chosen, strict=True)]
    if min(sizes) < 4:
        raise ValueError(
            f"each split needs at least 4 rows, got {sizes[0]} for training, {sizes[1]} for validation and {sizes[2]} for test"
        )
    fit = getattr(transforms, rows.transform)
    copies = []
    for indices in chosen:
        change_x, change_y = fit(rows.x[indices[0]]), fit(rows.y[indices[0]])
        copies.append([(change_x(rows.x[part]).to(device), change_y(rows.y[part]).to(device)) for part in indices])
    parts = [Part(*zip(*part, strict=True)) for part in zip(*copies, strict=True)]
    return dict(zip(("train", "validation", "test"), parts, strict=True))  # type: ignore[return-value]


def _own_split(rows: Rows, seed: int, copy: int) -> Sequence[Tensor]:
    """Numbers of a copy's training, validation and test rows."""
    total = len(rows.x)
    validation, test = round(total * rows.validation), round(total * rows.test)
    return _order(total, seed, copy).split([total - validation - test, validation, test])


def _fold(rows: Rows, folds: int, seed: int, fold: int) -> Sequence[Tensor]:
    """Numbers of a fold's training, validation and test rows; the validation rows are the last of the others."""
    parts = _order(len(rows.x), seed, 0).tensor_split(folds)
    others = torch.cat([part for index, part in enumerate(parts) if index != fold])
    validation = round(len(rows.x) * rows.validation)
    return *others.split([len(others) - validation, validation]), parts[fold]


def _order(total: int, seed: int, copy: int) -> Tensor:
    return torch.randperm(total, generator=generator(torch.device("cpu"), seed, copy, "split"))


def _even(copies: Sequence[Tensor]) -> Tensor:
    """(R, N, D) of tables (N, D), less the last rows of those that have more than the others."""
    fewest = min(map(len, copies))
    return torch.stack([each[:fewest] for each in copies])
