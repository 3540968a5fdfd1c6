"""The state of a run on disk: written atomically, read without executing any code."""

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
    """Replace `path` by `content` atomically: a reader, or a kill at any moment, finds either the
    old file or the new one.

    Concurrent writers take turns. Raises RunFailed if it cannot be written; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with owned(temporary, seconds=60, doing=f"writing {path}") as descriptor:
            try:
                with os.fdopen(descriptor, "wb", closefd=False) as file:
                    file.truncate()  # remove what a killed process may have left
                    file.write(content)
                os.fsync(descriptor)
                os.replace(temporary, path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise RunFailed(
            f"{path} could not be written: {error.strerror}; its previous content is unchanged"
        ) from error
    _sync_folder(path.parent)


def save(path: Path, state: State) -> None:
    """Write tensors, numbers, strings, and lists and dictionaries of them.

    Raises RunFailed if it cannot be written; the last good checkpoint stays.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_atomically(path, content + hashlib.sha256(content).digest())


def load(path: Path) -> State | None:
    """Load what save() wrote, to the CPU, or return None if there is no file; a file with a wrong
    checksum is not opened.

    Raises RunFailed if the file is damaged or is not a checkpoint.
    """
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return None
    import torch

    content, digest = whole[:-CHECKSUM], whole[-CHECKSUM:]
    if hashlib.sha256(content).digest() != digest:
        raise RunFailed(
            f"{path} is damaged or not a checkpoint; move it away, or start again with force=true"
        )
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
