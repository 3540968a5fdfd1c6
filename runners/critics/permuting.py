"""The permutation test of critics on their test pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infobound.datasets.units import firsts
from infobound.runners.critics.held_out import HeldOut
from infobound.runners.training.permutation import (
    GROUP,
    Permuted,
    of_rotated_scores,
    of_scores,
    rotations,
    score_matrices,
)
from infobound.runners.training.randomness import generator

ROTATED = 2**24
"""Maximum number of scores of rows that are rotated, in groups as long as that allows."""


@dataclass(frozen=True, eq=False)
class PermutedPairs:
    """Each critic's mean joint score on its test pairs, with their own and with permuted partners;
    rows that follow one another are rotated. Only the first row of a unit is read.
    """

    critics: Sequence[nn.Module]
    held_out: HeldOut
    step: int
    seed: int

    def __call__(self, permutations: int) -> list[Permuted]:
        cpu = torch.device("cpu")
        found = list[Permuted]()
        for index in range(len(self.critics)):
            source = generator(cpu, self.seed, index, "permutation")
            if (rows := self._in_time(index)) is None:
                found.append(of_scores(self._matrices(index), permutations, source))
            else:
                found.append(self._rotated(index, rows, permutations, source))
        return found

    def _in_time(self, index: int) -> Tensor | None:
        """The positions of test rows that follow one another, None for independent rows."""
        return None if self.held_out.memory is None else self.held_out.rows(index, "test")

    def _rotated(
        self, index: int, rows: Tensor, permutations: int, source: torch.Generator
    ) -> Permuted:
        x, y = self._rows(index, rows.argsort())
        most = max(GROUP, ROTATED // len(x))
        shortest = len(x) // -(-len(x) // most)
        shifts = rotations(shortest, permutations, source)
        matrices = score_matrices(self.critics[index], x, y, most)
        return of_rotated_scores(matrices, shifts)

    def _rows(self, index: int, which: Tensor) -> tuple[Tensor, Tensor]:
        """These test rows of x and of y."""
        blocks = self.held_out.blocks(index, "test", self.step)
        parts = [(x[first:], y[first:]) for x, y, first in blocks]
        which = which.to(parts[0][0].device)
        x, y = (torch.cat(side)[which] for side in zip(*parts, strict=True))
        return x, y

    def _matrices(self, index: int) -> Iterator[Tensor]:
        if (units := self.held_out.units(index)) is not None:
            yield from score_matrices(self.critics[index], *self._rows(index, firsts(units)))
            return
        for x, y, first in self.held_out.blocks(index, "test", self.step):
            yield from score_matrices(self.critics[index], x[first:], y[first:])
