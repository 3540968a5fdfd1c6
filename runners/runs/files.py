"""The list of the files that a run wrote besides those that every run writes."""

import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from infobound import regular
from infobound.runners.runs.errors import Damaged
from infobound.runners.runs.schemas import LARGEST_YAML, read

LIST = Path(".hydra") / "files.txt"


class Files:
    """The files that are written below a run's folder, each listed before it is written."""

    def __init__(self, run: Path) -> None:
        self._run = run

    @cached_property
    def _names(self) -> set[str]:
        return {*_names(self._run)}

    def new(self, name: str) -> Path:
        """The path of a file of this name, such as `figures/plane.pdf`, which is now listed."""
        path = self._run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in self._names:
            self._names.add(name)
            (self._run / LIST).parent.mkdir(exist_ok=True)
            descriptor = regular.writable(self._run / LIST, os.O_WRONLY | os.O_APPEND)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        return path


def written(run: Path) -> list[Path]:
    """The list itself and all files on it, but none outside of the run's folder."""
    folder = run.resolve()
    names = list[str]()
    with suppress(Damaged):  # then nothing else is known to be the run's
        names = _names(run)
    paths = [run / LIST, *(run / name for name in names)]
    return [path for path in paths if path.is_file() and path.resolve().is_relative_to(folder)]


def _names(run: Path) -> list[str]:
    def names(content: bytes) -> list[str]:
        return content.decode().splitlines()

    return read(run / LIST, "the list of a run's files", names, LARGEST_YAML) or []
