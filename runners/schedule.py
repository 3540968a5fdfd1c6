"""The learning rate step by step."""

import math

from torch.optim import Optimizer


class Schedule:
    """The optimiser's own learning rates, begun in a line over `warmup` steps; where `end` is given, half a cosine to 0 there.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983
    """

    def __init__(self, optimizer: Optimizer, warmup: int, end: int | None) -> None:
        if warmup < 0:
            raise ValueError(f"warmup must be a number of steps, 0 for none, got {warmup}")
        self._optimizer, self._warmup, self._end = optimizer, warmup, end
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def set(self, step: int) -> None:
        """Set the rates of the step after `step` ones."""
        if self._warmup or self._end is not None:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self.factor(step)

    def factor(self, step: int) -> float:
        """What the rates are multiplied by after `step` steps."""
        if step < self._warmup:
            return (step + 1) / self._warmup
        if self._end is None:
            return 1.0
        return (1 + math.cos(math.pi * (step - self._warmup) / (self._end - self._warmup))) / 2
