"""Settings of every training, as three values with their own checks.

In YAML their fields are keys of the runner itself, such as `runner.steps`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.runners.runs import formats
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.devices import device_named
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.memory import copies_must_fit
from infobound.runners.training.player import Player
from infobound.runners.training.schedule import Drops, Schedule


class Settings:
    """Marks a dataclass whose fields are keys of the node that it belongs to."""

    flat: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Optimisation(Settings):
    """`steps` steps of `optimizer` on batches of `batch_size`.

    The learning rate rises linearly over the first `warmup` steps; with `cosine` it then falls to
    zero at the last step. Readings use moving averages of the weights with decay `average`; 0 means
    the weights themselves. `steps` is None if the data determine the length of the training.

    Raises ValueError for values out of range.
    """

    optimizer: Callable[[list[Tensor]], Optimizer]
    steps: int | None
    batch_size: int
    average: float = 0.0
    warmup: int = 0
    cosine: bool = False

    @staticmethod
    def counts_steps(settings: Written) -> bool:
        """Whether the course of training before the last step depends on the number of steps."""
        return bool(settings.get("cosine"))

    def __post_init__(self) -> None:
        limits.at_least(self, batch_size=2)
        if self.steps is not None:
            limits.positive(self, "steps")
        limits.decay(self.average)
        if self.warmup < 0:
            raise SettingError("warmup", "must be a number of steps, 0 or more", self.warmup)

    def player(
        self,
        networks: Ensemble,
        *,
        steps: int | None = None,
        warmup: int | None = None,
        drops: Drops | None = None,
        spared: bool = False,
    ) -> Player:
        """The networks with their own optimiser and its schedule.

        They may have another number of `steps` than the training, with their own `warmup`; with
        `spared`, weight decay does not apply to biases and normalisation gains.
        """
        optimizer = elementwise(self.optimizer([networks.parameters]))
        if spared and optimizer.defaults.get("weight_decay"):
            optimizer = self.optimizer(networks.groups)  # pyright: ignore[reportArgumentType]
        rises = self.warmup if warmup is None else warmup
        end = (steps or self.steps) if self.cosine else None
        return Player(networks, optimizer, Schedule(optimizer, rises, end, drops))


@dataclass(frozen=True, kw_only=True)
class Cadence(Settings):
    """The cadence of a training, in steps.

    Training values are written every `log_every` steps, held-out values every `eval_every` (None:
    only at the end), and a checkpoint every `checkpoint_every` and `checkpoint_seconds` after the
    last one (None: only by steps). If `keep` is best, the weights of the best evaluation are kept
    too. `csv` also writes the values to metrics.csv, and figures are
    written in each of `figure_formats`.

    Raises ValueError for values that are not positive.
    """

    log_every: int
    eval_every: int | None
    checkpoint_every: int
    checkpoint_seconds: float | None = 60
    keep: Literal["last", "best"] = "last"
    csv: bool = False
    figure_formats: Sequence[str] = formats.USUAL
    paces: ClassVar[bool] = True
    """These settings only say when things are written; for a table, `eval_every` also says among
    which weights to choose.
    """

    def __post_init__(self) -> None:
        limits.positive(self, "log_every", "checkpoint_every")
        limits.positive_or_null(self, "eval_every")
        formats.check(self.figure_formats)
        if self.checkpoint_seconds is not None and not self.checkpoint_seconds > 0:
            raise SettingError(
                "checkpoint_seconds", "must be positive or null", self.checkpoint_seconds
            )


@dataclass(frozen=True, kw_only=True)
class Execution(Settings):
    """`replicates` independent copies on `device`, each with its own random stream from `seed`.

    `compile` compiles networks, and `precision` bf16 runs them in half precision. Threads belong to
    the process, not to a run: the launcher sets them.

    Raises ValueError for values out of range.
    """

    seed: int = 0
    replicates: int = 1
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False

    def __post_init__(self) -> None:
        limits.at_least(self, replicates=1)
        copies_must_fit(self.replicates, 0, torch.device("cpu"))

    @property
    def place(self) -> torch.device:
        """The device.

        Raises ValueError if this machine does not have it.
        """
        return device_named(self.device)

    def ensemble(
        self,
        build: Callable[[int], nn.Module],
        *,
        seed: int | None = None,
        replicates: int | None = None,
        average: float = 0.0,
    ) -> Ensemble:
        """Copies of a network, whose readings use a moving average of the weights with decay
        `average`.
        """
        return Ensemble(
            build,
            replicates=self.replicates if replicates is None else replicates,
            seed=self.seed if seed is None else seed,
            device=self.place,
            precision=self.precision,
            compiled=self.compile,
            average=average,
        )
