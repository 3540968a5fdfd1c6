"""Held-out pairs, in blocks that are scored together, for every copy of a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.runners.critics.splits import Part, Split
from infobound.runners.training.autocorrelation import Memory
from infobound.runners.training.randomness import generator

POOLED = 2**25
"""Maximum number of scores in one reading of a table (128 MiB); blocks are smaller if all pairs
would exceed it.
"""


class Block(NamedTuple):
    """Pairs that are scored together; rows before `first` belong to another block and only serve as
    partners.
    """

    x: Tensor
    y: Tensor
    first: int


class HeldOut(Protocol):
    """Pairs on which no critic was trained."""

    @property
    def least(self) -> int:
        """The number of rows of the smallest block."""
        ...

    @property
    def memory(self) -> Memory | None:
        """The memory of a table whose rows follow one another, None for independent rows."""
        ...

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        """The blocks on which copy `copy` is read after `step` steps."""
        ...

    def rows(self, copy: int, split: Split) -> Tensor | None:
        """The positions (N,) of the blocks' rows in the whole table, None for freshly sampled
        pairs.
        """
        ...

    def units(self, copy: int) -> Tensor | None:
        """The unit (N,) of each test row as a number, None if every row is on its own."""
        ...


@dataclass(frozen=True)
class FreshHeldOut:
    """Freshly sampled pairs: `validation_size` rows during training, `test_blocks` blocks of
    `test_size` rows at the end.
    """

    joint: Joint
    validation_size: int
    test_blocks: int
    test_size: int
    seed: int
    device: torch.device

    @property
    def least(self) -> int:
        return min(self.validation_size, self.test_size)

    @property
    def memory(self) -> None:
        return None

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        source = generator(self.device, self.seed, copy, split, step)
        count, size = (
            (1, self.validation_size)
            if split == "validation"
            else (self.test_blocks, self.test_size)
        )
        for _ in range(count):
            yield Block(*self.joint.sample(size, source), first=0)

    def rows(self, copy: int, split: Split) -> None:
        return None

    def units(self, copy: int) -> None:
        return None


@dataclass(frozen=True)
class RowHeldOut:
    """Finite splits, read whole in blocks of equal size, at most `block_size`, with at most
    `POOLED` pairs in total.
    """

    splits: Mapping[Split, Part]
    block_size: int
    memory: Memory | None = None

    @property
    def least(self) -> int:
        return min(self._size(len(x)) for part in self.splits.values() for x in part.x)

    def _size(self, rows: int) -> int:
        most = max(2, min(self.block_size, POOLED // rows))
        return -(-rows // -(-rows // most))

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        x, y = self.splits[split].x[copy], self.splits[split].y[copy]
        size = self._size(len(x))
        for begin in range(0, len(x), size):
            start = min(begin, len(x) - size)
            yield Block(x[start : start + size], y[start : start + size], first=begin - start)

    def rows(self, copy: int, split: Split) -> Tensor:
        return self.splits[split].rows[copy]

    def units(self, copy: int) -> Tensor | None:
        units = self.splits["test"].units
        return None if units is None else units[copy]
