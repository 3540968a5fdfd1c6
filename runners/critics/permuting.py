"""The permutation test of critics on their test pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infobound.runners.critics.held_out import HeldOut
from infobound.runners.training.permutation import Permuted, of_scores, score_matrices
from infobound.runners.training.randomness import generator


@dataclass(frozen=True, eq=False)
class PermutedPairs:
    """Each critic's mean joint score on its test pairs, with their own and with permuted
    partners.
    """

    critics: Sequence[nn.Module]
    held_out: HeldOut
    step: int
    seed: int

    def __call__(self, permutations: int) -> list[Permuted]:
        cpu = torch.device("cpu")
        return [
            of_scores(
                self._matrices(index), permutations, generator(cpu, self.seed, index, "permutation")
            )
            for index in range(len(self.critics))
        ]

    def _matrices(self, index: int) -> Iterator[Tensor]:
        for x, y, first in self.held_out.blocks(index, "test", self.step):
            yield from score_matrices(self.critics[index], x[first:], y[first:])
