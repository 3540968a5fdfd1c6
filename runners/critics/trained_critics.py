"""Critics that an earlier run trained, to read other rows with."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from infobound.datasets import transforms
from infobound.datasets.interfaces import Rows
from infobound.errors import SettingError
from infobound.estimators.base import Estimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.runners.critics.held_out import RowHeldOut
from infobound.runners.critics.reading import CriticReader
from infobound.runners.critics.splits import Changes, whole
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import State
from infobound.runners.training.autocorrelation import memory_of
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.taking_over import take_over


class TrainedCritics(NamedTuple):
    """The critics of a completed run."""

    run: TrainedRun
    saved: State
    """The state of their networks."""

    @classmethod
    def of(cls, run: TrainedRun) -> "TrainedCritics":
        """The critics that a run has trained.

        Raises ValueError if it has no critics.
        """
        critics, evaluated = run.part("critics"), run.part("evaluated")["step"]
        if "stopping" in run.state and evaluated < run.step:
            raise SettingError(
                "load",
                f"must name a run that ended with an evaluation, but {run.path} had its last at"
                f" step {evaluated} of {run.step}",
                remedy="train it with a runner.eval_every that divides runner.steps",
            )
        return cls(run, critics["networks"])

    def reader(
        self,
        rows: Rows,
        critic: Critics,
        estimator: Estimator,
        ensemble: Callable[..., Ensemble],
        block_size: int,
        device: torch.device,
    ) -> CriticReader:
        """A reader of all rows by every copy, each with the transform fitted to its own training
        rows.

        Raises ValueError if dimensions, critic or estimator differ from those of the run.
        """
        run, facts = self.run, self.run.part("facts")
        dims = [rows.x.shape[-1], rows.y.shape[-1]]
        if dims != facts["dims"]:
            raise SettingError(
                "load",
                f"reads x and y of {facts['dims']} columns in {run.path}, but these rows have"
                f" {dims}",
            )
        changes: list[Changes] = [
            (transforms.restored(of_x), transforms.restored(of_y))
            for of_x, of_y in facts["changes"]
        ]
        made = ensemble(
            lambda index: _blank(critic, estimator, dims, device), replicates=len(changes)
        )
        take_over(run, made, self.saved)
        held_out = RowHeldOut({"test": whole(rows, changes, device)}, block_size, memory_of(rows))
        best = run.state.get("stopping", {}).get("best")
        return CriticReader(made, held_out, estimator.kind, "readers of the same rows", best)


def _blank(
    critic: Critics, estimator: Estimator, dims: list[int], device: torch.device
) -> nn.Module:
    """Create networks with the right shapes; they are prepared with noise, and the loaded state
    then replaces the result.
    """
    x, y = (torch.randn(4 * sum(dims) + 64, dim).to(device) for dim in dims)
    return Measurement.of(critic, estimator, x, y)
