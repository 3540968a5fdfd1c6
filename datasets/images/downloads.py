"""Files of public data sets: read where they lie, else downloaded once; no byte is used before the
md5 is right.
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

from infobound.errors import DataError

CHUNK = 2**16
"""Bytes that are written at a time."""


class Source(NamedTuple):
    """What a file has to be, and the addresses that it is asked of in turn."""

    md5: str
    urls: tuple[str, ...]


def content(path: Path, source: Source) -> bytes:
    """The bytes of a file, which is downloaded first where it is not there.

    Raises ValueError that names it if it cannot be had, or is not what it has to be.
    """
    if not path.exists():
        _download(path, source)
    return checked(path, path.read_bytes(), source)


def checked(path: Path, found: bytes, source: Source) -> bytes:
    """The bytes found in a file, if their md5 is right.

    Raises ValueError that names the file if it is not.
    """
    md5 = hashlib.md5(found, usedforsecurity=False).hexdigest()
    if md5 != source.md5:
        raise DataError(
            path,
            f"must have md5 {source.md5}",
            f"{md5} of {len(found)} bytes",
            "delete it to have it downloaded again, or put the right one there, from"
            f" {source.urls[0]}",
        )
    return found


def _download(path: Path, source: Source) -> None:
    """Fetch a file, beginning where an interrupted download ended, and move it into its place once
    its md5 is right.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    failures = dict[str, str]()
    with _alone_in(path.parent):
        for url in source.urls * (
            2 if part.exists() else 1
        ):  # what an earlier run left may be wrong, and is dropped then
            try:
                pooch.retrieve(
                    url,
                    f"md5:{source.md5}",
                    path.name,
                    path.parent,
                    # pooch annotates its downloaders by other names
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
        remedy=f"put it there by hand (md5 {source.md5}), or give the data_dir that has it",
    )


def _go_on(part: Path, url: str, output: str, _: object) -> None:
    """pooch's downloader: what is not in `part` yet, and then all of it to `output`."""
    with part.open("ab") as file:
        headers = {"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"}
        pooch.HTTPDownloader(sys.stderr.isatty(), CHUNK, headers=headers)(url, file, None)
    part.replace(output)


def _reason(error: ValueError | OSError) -> str:
    """What went wrong, in a few words: pooch says more, and a lost connection very much more."""
    in_words = isinstance(error, ValueError) or error.errno is not None
    return str(error).partition(". ")[0] if in_words else type(error).__name__


def _empty(path: Path) -> bool:
    return path.exists() and path.stat().st_size == 0


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Until the block ends no other run downloads into this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
