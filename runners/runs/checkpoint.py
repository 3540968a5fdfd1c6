"""The state of a run on disk: written whole or not at all, read without executing anything."""

import hashlib
import io
import os
from pathlib import Path

from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.locks import owned
from infobound.runners.runs.written import State

CHECKSUM = 32
"""Bytes of SHA-256 at the end of a checkpoint; torch.load() reads past them."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, so that a reader, or a kill at any moment, sees the old file or
    the new one.

    Processes that write it at once take turns. Raises RunFailed if the disk does not take it; the
    old file stays.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with owned(temporary, seconds=60, doing=f"writing {path}") as descriptor:
            try:
                with os.fdopen(descriptor, "wb", closefd=False) as file:
                    file.truncate()  # what a kill may have left
                    file.write(content)
                os.fsync(descriptor)
                os.replace(temporary, path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise RunFailed(
            f"{path} could not be written: {error.strerror}; what it held before is still there"
        ) from error
    _sync_folder(path.parent)


def save(path: Path, state: State) -> None:
    """Write tensors, numbers, strings, lists and dictionaries of them.

    Raises RunFailed if the disk does not take it; the last good checkpoint stays.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_atomically(path, content + hashlib.sha256(content).digest())


def load(path: Path) -> State | None:
    """What save() wrote, on the CPU, or None if there is nothing; bytes whose checksum is wrong are
    not opened.

    Raises RunFailed if the file is torn or is no checkpoint.
    """
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return None
    import torch

    content, digest = whole[:-CHECKSUM], whole[-CHECKSUM:]
    if hashlib.sha256(content).digest() != digest:
        raise RunFailed(
            f"{path} is torn or is no checkpoint; move it away, or start afresh with force=true"
        )
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
