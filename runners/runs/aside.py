"""Damaged files of a sweep's job, which are set aside and not overwritten."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from infobound.runners.runs.errors import Damaged
from infobound.runners.runs.locks import LOCK
from infobound.runners.runs.schemas import LARGEST_YAML, read

FOLDER = "set_aside"
"""The folder of a sweep with the files that were set aside, each job's in a folder of its name."""
REASON = "why.txt"
LOG = "run.log"
STAYING = (LOCK, LOG)
"""Files that the process has opened that sets the others aside."""


class Aside(NamedTuple):
    """Files of a job that were set aside."""

    folder: Path
    reason: str


def check_links(folder: Path) -> None:
    """Raise Damaged if the folder contains a symbolic link, through which a run would write."""
    for entry in os.scandir(folder):
        if entry.is_symlink():
            raise Damaged(
                f"{entry.path} must not be a symbolic link, got a link to"
                f" {os.readlink(entry.path)}; remove the link, or use another name"
            )


def set_aside(job: Path, reason: Damaged | str) -> Path:
    """Move the files of a job's folder into a new folder, and return it."""
    place = job.parent / FOLDER
    place.mkdir(exist_ok=True)
    if place.is_symlink():
        raise Damaged(f"{place} must not be a symbolic link; remove it")
    folder = next(each for each in _names(place / job.name) if not os.path.lexists(each))
    folder.mkdir()
    for entry in [*os.scandir(job)]:
        if entry.name not in STAYING:
            os.rename(entry.path, folder / entry.name)
    (folder / REASON).write_text(f"{reason}\n", encoding="utf-8", errors="backslashreplace")
    return folder


def found(sweep: Path) -> list[Aside]:
    """The jobs that a sweep has set aside."""
    reasons = sorted((sweep / FOLDER).glob(f"*/{REASON}"))
    return [Aside(each.parent, _text(each)) for each in reasons]


def _names(folder: Path) -> Iterator[Path]:
    yield folder
    number = 1
    while True:
        number += 1
        yield folder.with_name(f"{folder.name}-{number}")


def _text(path: Path) -> str:
    def text(content: bytes) -> str:
        return " ".join(content.decode(errors="replace").split())

    return read(path, "a reason", text, LARGEST_YAML) or ""
