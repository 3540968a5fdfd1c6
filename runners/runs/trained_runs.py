"""Earlier runs whose networks are loaded: how a command names them, and what they contain."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infobound.errors import SettingError
from infobound.runners.runs import checkpoint, schemas
from infobound.runners.runs.errors import DamagedState, RunFailed
from infobound.runners.runs.run_directory import BEST, LAST
from infobound.runners.runs.written import State

OF_THE_RUN = ("name", "force", "device", "threads", "sweep", "runner.load", "runner.train_on")
"""Overrides that do not affect what was trained."""


class TrainedRun(NamedTuple):
    """A completed run."""

    path: Path
    overrides: Sequence[str]
    """The overrides of the run."""
    step: int
    state: State
    """The state of its task after that step."""

    @classmethod
    def open(cls, named: Path) -> "TrainedRun":
        """Open a completed run by its folder, at its best state if that was kept, or by one of its
        two checkpoint files.

        Raises ValueError if there is no such run.
        """
        path = folder_of(named)
        result = schemas.result(path)
        if result is None:
            raise SettingError(
                "load", f"must name the folder of a run, but there is no result.json in {path}"
            )
        if result["status"] != "completed":
            raise SettingError(
                "load",
                f"must name a completed run, but {path} is {result['status']}",
                remedy="complete it first",
            )
        best = path / BEST
        file = named if named != path else best if best.is_file() else path / LAST
        try:
            saved = checkpoint.load(file, schemas.OF_A_STATE)
        except RunFailed as error:
            raise SettingError(
                "load", f"must name a run whose weights can be read: {error}"
            ) from error
        if saved is None:
            raise SettingError(
                "load", f"must name a run with trained networks, but there is no {file}"
            )
        return cls(path, result["overrides"], saved["step"], saved["task"])

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Raise SettingError if the block finds that the run's state is not what it loads."""
        try:
            with checkpoint.fitting(self.path):
                yield
        except DamagedState as error:
            raise SettingError(
                "load", f"must name a run with trained networks of this kind: {error}"
            ) from error

    def part(self, name: str) -> State:
        """The state of one part of its task.

        Raises ValueError if it has no such part.
        """
        if name not in self.state:
            raise SettingError(
                "load",
                f"must name a run with trained {name}, but {self.path} has {', '.join(self.state)}",
            )
        return self.state[name]

    def within(self, name: str) -> "TrainedRun":
        """The run of a task that is a part of this run's task.

        Raises ValueError if it has no such part.
        """
        return self._replace(state=self.part(name))

    @property
    def settings(self) -> str:
        """The settings of the run as overrides."""
        return shlex.join(own_settings(self.overrides)) or "the defaults"


def folder_of(named: Path) -> Path:
    """The run's folder, from the folder itself or from a checkpoint in it."""
    return named.parent if named.name in (BEST, LAST) else named


def own_settings(overrides: Iterable[str]) -> list[str]:
    """The overrides of a run that affect what was trained."""
    return [
        each
        for each in overrides
        if key_of(each) not in OF_THE_RUN and not key_of(each).startswith(("hydra", "sweep."))
    ]


def key_of(override: str) -> str:
    """The key of an override."""
    return override.lstrip("+~").partition("=")[0]
