"""hydra/launcher=processes: the jobs of a sweep on this machine."""

import gc
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hydra_plugins.launching import SweepLauncher
from infobound.conf import schema
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError

if TYPE_CHECKING:
    from infobound.runners.runs.processes import Processes

LATE = (
    "torch.utils.tensorboard",
    "tensorboard.plugins.hparams.summary_v2",
    "torch._dynamo",  # torch.optim would otherwise take two seconds for it at the first step
    "infobound.runners.estimate.beside",
    "infobound.runners.runs.plots",
)
"""Modules that runs import when they first need them."""


class ProcessLauncher(SweepLauncher):
    """Runs `workers` jobs at a time, by default as many as the cores allow with `threads` each."""

    def __init__(self, workers: int | None) -> None:
        if workers is not None and workers < 1:
            raise SettingError(
                "hydra.launcher.workers", "must be a positive integer or null", workers
            )
        self._workers = workers

    @contextmanager
    def pool(self) -> Iterator["Processes"]:
        from infobound.runners.runs.processes import Processes

        self._import_for_all()
        yield Processes(
            self._workers or max(1, len(os.sched_getaffinity(0)) // self.config.threads)
        )

    def _import_for_all(self) -> None:
        """Import the modules that every job needs, so that forked jobs have them from the start."""
        for module in LATE:
            importlib.import_module(module)
        with suppress(ConfigError):
            schema.validate(self.config)
        gc.freeze()
        gc.enable()
