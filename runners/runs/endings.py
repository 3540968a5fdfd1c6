"""Why a job ends early: a line for its user, and an exit code: 2 refused, 1 failed, 128 + signal
interrupted.
"""

import signal
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from infobound.runners.runs.errors import (
    Busy,
    ConfigError,
    Interrupted,
    RunFailed,
    fitting,
    out_of_memory,
    without_memory,
)
from infobound.runners.runs.sweep import BUSY

INTERRUPTS = (Interrupted, KeyboardInterrupt)


class Ending(NamedTuple):
    """The end of a job that did not complete."""

    line: str
    """A traceback, if the error was unexpected."""
    code: int


def ending(error: BaseException, directory: Path, *, sweep: bool) -> Ending:
    """The ending of a job in `directory`, which may be one of a sweep."""
    if isinstance(error, INTERRUPTS):
        further = (
            f"continues from the checkpoint in {directory}"
            if (directory / "checkpoint.pt").is_file()
            else "starts again"
        )
        return Ending(
            f"interrupted; the same command with the same name {further}", interrupted(error)
        )
    if isinstance(error, ConfigError):
        return Ending(
            fitting(f"refused: {error}"), BUSY if sweep and isinstance(error, Busy) else 2
        )
    if isinstance(error, RunFailed | OSError):
        return Ending(fitting(f"failed: {error}"), 1)
    if out_of_memory(error):
        return Ending(fitting(f"failed: {without_memory(error)}"), 1)
    return Ending("".join(traceback.format_exception(error)).rstrip(), 1)


def interrupted(error: BaseException) -> int:
    """The exit code after a signal."""
    return 128 + (error.signal_number if isinstance(error, Interrupted) else signal.SIGINT)


def remove_empty(directory: Path) -> None:
    """Remove empty folders that Hydra made for a run that never started, up to the working
    directory.
    """
    with suppress(OSError):
        for folder in (
            directory,
            *(each for each in directory.parents if Path.cwd() in each.parents),
        ):
            folder.rmdir()


def shortest(path: Path) -> Path:
    """The path relative to the working directory, if it is inside it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
