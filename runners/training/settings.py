"""The settings that everything that trains has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from infobound.runners.training import limits
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.loop import Cadence


@dataclass(frozen=True, kw_only=True)
class Training:
    """Trains `replicates` copies on `device` by batches of `batch_size`, each copy from a stream of
    `seed` of its own.

    What a step did is written every `log_every` steps, and a checkpoint every `checkpoint_every`,
    also `checkpoint_seconds` after the last one (None: by steps alone). With `compile` networks run
    compiled, with `precision` bf16 in half precision.

    Raises ValueError for whatever is wrong with the settings.
    """

    batch_size: int
    log_every: int
    checkpoint_every: int
    checkpoint_seconds: float | None
    seed: int
    replicates: int
    device: str
    precision: Literal["fp32", "bf16"]
    compile: bool

    def __post_init__(self) -> None:
        limits.at_least(self, batch_size=2, replicates=1)

    def paced(self, steps: int, eval_every: int) -> Cadence:
        """When what is due of so many steps."""
        return Cadence(
            steps, self.log_every, eval_every, self.checkpoint_every, self.checkpoint_seconds
        )

    def ensemble(
        self,
        build: Callable[[int], nn.Module],
        seed: int,
        device: torch.device,
        average: float = 0.0,
    ) -> Ensemble:
        """Copies of a network, read by a moving average of their weights of decay `average`, 0
        being the weights.
        """
        return Ensemble(
            build,
            replicates=self.replicates,
            seed=seed,
            device=device,
            precision=self.precision,
            compiled=self.compile,
            average=average,
        )
