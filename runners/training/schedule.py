"""The learning rate step by step."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch.optim import Optimizer

from infobound.errors import SettingError


@dataclass(frozen=True)
class Drops:
    """Multiplies the learning rate by `factor` after each of the steps `at`, or after every `at`
    steps.

    Raises ValueError for steps that do not increase, or a factor outside 0..1.
    """

    at: Sequence[int] | int
    factor: float

    def __post_init__(self) -> None:
        steps = [0, *self.at] if isinstance(self.at, Sequence) else [0, self.at]
        if any(before >= after for before, after in pairwise(steps)):
            raise SettingError(
                "drops",
                "must be increasing steps from 1 on, or one number n for every n steps",
                self.at,
            )
        if not 0 < self.factor <= 1:
            raise SettingError("drop", "must be a factor above 0 and at most 1", self.factor)

    def __call__(self, step: int) -> float:
        """The factor of the learning rate after `step` steps."""
        count = bisect_right(self.at, step) if isinstance(self.at, Sequence) else step // self.at
        return self.factor**count


class Schedule:
    """Schedules the optimiser's learning rates: a linear rise over `warmup` steps, then optional
    drops, and, if `end` is given, half a cosine down to 0 at that step.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983
    """

    def __init__(
        self, optimizer: Optimizer, warmup: int, end: int | None, drops: Drops | None = None
    ) -> None:
        if warmup < 0:
            raise SettingError("warmup", "must be a number of steps, 0 or more", warmup)
        self._optimizer, self._warmup, self._end, self._drops = optimizer, warmup, end, drops
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def set(self, step: int) -> None:
        """Set the rates of the step after `step` steps."""
        if self._warmup or self._end is not None or self._drops is not None:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self.factor(step)

    def factor(self, step: int) -> float:
        """The factor of the rates after `step` steps."""
        if step < self._warmup:
            return (step + 1) / self._warmup
        dropped = self._drops(step) if self._drops else 1.0
        if self._end is None:
            return dropped
        return (
            dropped
            * (1 + math.cos(math.pi * (step - self._warmup) / (self._end - self._warmup)))
            / 2
        )
