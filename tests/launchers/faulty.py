"""Pairs whose jobs fail, depending on their number, in every way that a sweep must survive."""

import os
import signal
import time
from dataclasses import dataclass
from os import _exit as end_at_once

import torch
from torch import Tensor

from infobound.datasets.pairs.gaussians import CorrelatedGaussians

RAISING, KILLED, EXITING, HANGING, REFUSED = (
    range(5),
    range(5, 8),
    range(8, 10),
    range(10, 11),
    range(60, 62),
)


@dataclass(frozen=True, kw_only=True)
class Faulty(CorrelatedGaussians):
    """Correlated Gaussians that make the jobs with `number` below 11 fail during training.

    FAULTS=no in the environment switches the faults off.
    """

    number: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.number in REFUSED:
            raise ValueError(f"number must not be {self.number}")

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if os.environ.get("FAULTS") != "no":
            self._go_wrong()
        time.sleep(
            0.002
        )  # as long as a step of a real network, so that signals arrive during training
        return super().sample(size, generator)

    def _go_wrong(self) -> None:
        if self.number in RAISING:
            raise ArithmeticError(f"job {self.number} goes wrong")
        if self.number in KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.number in EXITING:
            end_at_once(7 * (self.number % 2))
        while self.number in HANGING:
            time.sleep(1)
