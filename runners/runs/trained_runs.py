"""What an earlier run has trained."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from infobound.errors import SettingError
from infobound.runners.runs import checkpoint
from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.run_directory import read_result
from infobound.runners.runs.written import State

OF_THE_RUN = ("name", "force", "device", "threads", "runner.load", "runner.train_on")
"""Overrides that say nothing of what was trained."""


class TrainedRun(NamedTuple):
    """A completed run."""

    path: Path
    overrides: Sequence[str]
    """Those that it was made with."""
    step: int
    state: State
    """Of its task, after the last step."""

    @classmethod
    def load(cls, path: Path, networks: str, parts: Iterable[str]) -> "TrainedRun":
        """The last state of a run that has trained `networks`, whose state has these parts.

        Raises ValueError if there is no such run.
        """
        result = read_result(path)
        if result is None:
            raise SettingError(
                "load", f"must name the folder of a run, but there is no result.json in {path}"
            )
        if result["status"] != "completed":
            raise SettingError(
                "load",
                f"must name a completed run, but {path} is {result['status']}",
                remedy="run it to its end first",
            )
        try:
            saved = checkpoint.load(path / "checkpoint.pt") or {}
        except RunFailed as error:
            raise SettingError(
                "load", f"must name a run whose {networks} can be read: {error}"
            ) from error
        state = saved.get("task", {})
        if not state.keys() >= {*parts}:
            raise SettingError(
                "load",
                f"must name a run that has trained {networks}, but the checkpoint of {path}"
                " holds none",
            )
        return cls(path, result["overrides"], saved["step"], state)

    @property
    def settings(self) -> str:
        """What was trained, as it is typed."""
        given = [(each, each.lstrip("+").partition("=")[0]) for each in self.overrides]
        kept = [
            each for each, key in given if key not in OF_THE_RUN and not key.startswith("hydra.")
        ]
        return shlex.join(kept) or "the defaults"
