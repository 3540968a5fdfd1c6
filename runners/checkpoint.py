"""The state of a run on disk: written whole or not at all, read without executing anything."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from runners.errors import RunFailed


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, so that a reader, or a kill at any moment, sees the old file or the new one.

    Raises RunFailed if the disk does not take it; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunFailed(f"{path} could not be written: {error.strerror}; what it held before is still there") from error
    _sync_folder(path.parent)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings, lists and dictionaries of them.

    Raises RunFailed if the disk does not take it; the last good checkpoint stays.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def load(path: Path) -> dict[str, Any] | None:
    """What save() wrote, on the CPU, or None if there is nothing.

    Raises RunFailed if the file is torn or is no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise RunFailed(
            f"{path} is torn or is no checkpoint ({str(error).splitlines()[0]}); move it away, or start afresh with force=true"
        ) from error
    if not isinstance(state, dict) or "step" not in state:
        raise RunFailed(f"{path} is not a checkpoint of this project; move it away, or start afresh with force=true")
    return state


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
