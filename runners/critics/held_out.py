"""Held-out pairs, in blocks that are scored together, for every copy of a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.runners.critics.splits import Part, Split
from infobound.runners.training.randomness import generator

POOLED = 2**25
"""Scores of one reading of a table (128 MiB), whatever its rows: blocks are smaller where all pairs
would be more.
"""


class Block(NamedTuple):
    """Pairs that are scored together; the rows before `first` were read in another block and only
    serve as partners.
    """

    x: Tensor
    y: Tensor
    first: int


class HeldOut(Protocol):
    """Pairs that no critic was trained on."""

    @property
    def least(self) -> int:
        """Rows of the smallest block."""
        ...

    def blocks(self, copy: int, split: Split, step: int) -> Iterator[Block]:
        """What copy `copy` is read on after `step` steps."""
        ...

    def rows(self, copy: int, split: Split) -> Tensor | None:
        """(N,) where the rows of these blocks stand in the whole table, None for pairs sampled for
        the occasion.
        """
        ...


@dataclass(frozen=True)
class FreshHeldOut:
    """Pairs sampled for the occasion: `validation_size` rows in training, `test_blocks` blocks of
    `test_size` at the end.
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


@dataclass(frozen=True)
class RowHeldOut:
    """Finite splits, read whole in blocks of one size up to `block_size`, and such that all pairs
    are at most `POOLED`.
    """

    splits: Mapping[Split, Part]
    block_size: int

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
