"""All patterns of a few bits, labelled by some of the bits: a distribution small enough to
enumerate.

N patterns.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from infobound.datasets.images.labelled import Labelled
from infobound.errors import SettingError

MOST = 20
"""Maximum number of bits."""


@dataclass(frozen=True)
class BitPatterns:
    """Every number below 2^bits once, as its bits; its label is the group of the number mod
    `modulus`.

    `seed` draws the two groups, each with half of the residues, and the held-out patterns, the
    share `test`. All patterns are equally likely, so H(X) = bits log 2 and I(X; Y) = H(Y) = log 2
    nats. Bits are given as -1 and 1.

    Raises ValueError for values out of range.
    """

    bits: int
    modulus: int
    test: float
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST:
            raise SettingError("bits", f"must be 1 to {MOST}", self.bits)
        if self.modulus < 2 or 2**self.bits % self.modulus:
            raise SettingError(
                "modulus", f"must be a power of 2 from 2 to 2^bits, {2**self.bits}", self.modulus
            )
        if not 0 < self.test < 1 or not 0 < self._held_out < 2**self.bits:
            raise SettingError(
                "test",
                f"must be a share of the {2**self.bits} patterns that leaves some on either side",
                self.test,
            )

    @property
    def classes(self) -> int:
        return 2

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.bits,)

    @property
    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        return math.log(2)

    @property
    def train_images(self) -> Labelled:
        return self._part(self._order[self._held_out :])

    @property
    def validation_images(self) -> Labelled:
        return self._part(self._order[:0])

    @property
    def test_images(self) -> Labelled:
        return self._part(self._order[: self._held_out])

    def seen(self, images: Tensor, generator: object) -> Tensor:
        return 2.0 * images - 1

    @property
    def _held_out(self) -> int:
        return round(self.test * 2**self.bits)

    @property
    def _order(self) -> Tensor:
        """All numbers (N,), each once."""
        return self._drawn[1]

    @cached_property
    def _drawn(self) -> tuple[Tensor, Tensor]:
        """The group (modulus,) of each residue, and all numbers (N,) in a random order."""
        source = torch.Generator().manual_seed(self.seed)
        groups = (torch.randperm(self.modulus, generator=source) < self.modulus // 2).long()
        return groups, torch.randperm(2**self.bits, generator=source)

    def _part(self, numbers: Tensor) -> Labelled:
        bits = numbers[:, None] >> torch.arange(self.bits) & 1
        return Labelled(bits.to(torch.uint8), self._drawn[0][numbers % self.modulus])
