"""The task of training critics while the mutual information of their pairs increases.

R copies, S steps, L levels.
"""

import statistics
from collections.abc import Sequence

import torch
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Bound
from infobound.estimators.measurement import Measurement
from infobound.runners.runs.metrics import Quantity
from infobound.runners.runs.plots import SPAN
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import State, Written
from infobound.runners.staircase.reading import by_level
from infobound.runners.training.batches import Batches
from infobound.runners.training.player import Player
from infobound.runners.training.task import Task


class Values:
    """The reading (R, S) of each step's batch in nats; allocated at once, because many small
    tensors would fragment the memory.
    """

    def __init__(self, copies: int, steps: int, device: torch.device) -> None:
        self.read = torch.zeros(copies, steps, device=device)

    def state(self) -> State:
        return {"read": self.read}

    def load(self, state: State) -> None:
        self.read.copy_(state["read"])


class Climbing(Task):
    """Critics maximise their estimator, and each batch is read with averaged weights before they
    are trained on it. The last `window` values of each of the `levels` are its reading.

    Raises ValueError if the critics have no weights.
    """

    def __init__(
        self,
        batches: Batches,
        critics: Player,
        zeros: tuple[Tensor, Tensor],
        levels: Sequence[float],
        steps: int,
        window: int,
    ) -> None:
        self.batches, self.critics = batches, critics
        self._levels, self._steps, self._window = levels, steps, window
        ensemble = critics.networks
        ensemble.check(*zeros)
        if not ensemble.parameters.numel():
            raise SettingError(
                "critic", "must have weights to train", "none", "use critic=separable"
            )
        self._values = Values(ensemble.replicates, steps * len(levels), ensemble.parameters.device)
        measurement = ensemble.copy(0).eval()
        if not isinstance(measurement, Measurement):
            raise TypeError(f"the copies must be measurements, got {type(measurement).__name__}")
        x, y = zeros
        self.cap = measurement.estimator.cap(measurement.scores(x[0], y[0]).product.shape[-1])
        """The largest value in nats that a batch can read, or None."""
        self._kind = measurement.estimator.kind
        self.parts = {"critics": critics, "batches": batches, "values": self._values}

    @property
    def values(self) -> Tensor:
        """The reading (R, S) of each step's batch, nats."""
        return self._values.read

    @property
    def constants(self) -> dict[str, float | None]:
        return {"mi/cap": self.cap}

    def take_over(self, run: TrainedRun) -> None:
        """Raise ValueError, because a level cannot be read without training."""
        raise SettingError(
            "load",
            "must be null for a staircase, which reads batches during training",
            run.path,
        )

    def step(self) -> dict[str, Tensor]:
        ensemble = self.critics.networks
        x, y = self.batches.draw()
        value = ensemble.read(x, y).value.view(-1)
        self.values[:, ensemble.steps] = value
        self.critics.schedule.set(ensemble.steps)
        bound: Bound = ensemble(x, y)
        ensemble.descend(bound.fit, self.critics.optimizer)
        return {"loss": bound.fit.detach(), "mi": value}

    def evaluate(self, step: int) -> dict[str, Quantity]:
        """The mean of the latest values, which are held out anyway."""
        if not step:
            return {}
        return {
            "mi": Quantity([self.values[:, max(0, step - SPAN) : step].mean().item()], unit="nats")
        }

    def read(self, step: int) -> Written:
        """The errors of each level, and the estimate of the last level."""
        levels = by_level(self.values, self._levels, self._steps, self._window)
        last = levels[-1]
        mi = Quantity(last["mi_replicates"], last["mi_stderr"], last["stderr_of"], "nats")
        return {
            "mi": mi,
            "mi_true": last["mi_true"],
            "mi_cap": self.cap,
            "kind": self._kind,
            "warnings": [],
            "mse": statistics.fmean(each["mse"] for each in levels),
            "levels": levels,
        }
