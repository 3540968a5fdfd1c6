"""Files of public data sets: read from the disk, or downloaded once. No file is used before its md5
has been checked.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pooch

from infobound import regular
from infobound.errors import DataError

CHUNK = 2**16
"""Number of bytes written at a time."""


class Source(NamedTuple):
    """A file's checksum, and the addresses to try in turn."""

    md5: str
    urls: tuple[str, ...]


def content(path: Path, source: Source) -> bytes:
    """Return the bytes of a file; download it first if it is missing.

    Raises ValueError that names the file if it cannot be downloaded or has the wrong md5.
    """
    if not path.exists():
        _download(path, source)
    return checked(path, regular.content(path), source)


def checked(path: Path, found: bytes, source: Source) -> bytes:
    """Return the bytes of a file after checking their md5.

    Raises ValueError that names the file if the md5 is wrong.
    """
    md5 = hashlib.md5(found, usedforsecurity=False).hexdigest()
    if md5 != source.md5:
        raise DataError(
            path,
            f"must have md5 {source.md5}",
            f"{md5} of {len(found)} bytes",
            f"delete it to download it again, or put the right file there, from {source.urls[0]}",
        )
    return found


def _download(path: Path, source: Source) -> None:
    """Download a file, continuing an interrupted download, and move it into place once its md5 is
    right.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    failures = dict[str, str]()
    with _alone_in(path.parent):
        for url in source.urls * (
            2 if part.exists() else 1
        ):  # the part of an earlier run may be wrong; if so, start again
            try:
                pooch.retrieve(
                    url,
                    f"md5:{source.md5}",
                    path.name,
                    path.parent,
                    # pooch annotates downloaders with other argument names
                    downloader=partial(_go_on, part),  # pyright: ignore[reportArgumentType]
                )
                return
            except (ValueError, OSError) as error:
                answer = getattr(error, "response", None)
                failures[url] = _reason(error) if answer is None else f"status {answer.status_code}"
                if isinstance(error, ValueError) or answer is not None or _empty(part):
                    part.unlink(missing_ok=True)
    raise DataError(
        path,
        "is not there and cannot be downloaded:"
        f" {', '.join((f'{url} ({why})' for url, why in failures.items()))}",
        remedy=f"put it there yourself (md5 {source.md5}), or set data_dir to a folder that has it",
    )


def _go_on(part: Path, url: str, output: str, _: object) -> None:
    """Download for pooch: append what is missing to `part`, then copy all of it to `output`."""
    with part.open("ab") as file:
        headers = {"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"}
        pooch.HTTPDownloader(sys.stderr.isatty(), CHUNK, headers=headers)(url, file, None)
    part.replace(output)


def _reason(error: ValueError | OSError) -> str:
    """A short reason for the failure; the messages of pooch are long."""
    in_words = isinstance(error, ValueError) or error.errno is not None
    return str(error).partition(". ")[0] if in_words else type(error).__name__


def _empty(path: Path) -> bool:
    return path.exists() and path.stat().st_size == 0


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs from downloading into this folder until the block ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
