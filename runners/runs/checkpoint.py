"""The state of a run on disk: written atomically, read without executing any code."""

import hashlib
import io
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from infobound import regular
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError, DamagedState, RunFailed, out_of_memory
from infobound.runners.runs.locks import owned
from infobound.runners.runs.schemas import Form, formed
from infobound.runners.runs.written import State

CHECKSUM = 32
"""Bytes of SHA-256 at the end of a checkpoint; torch.load() reads past them."""
MISFITS = (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, EOFError)
"""Errors of parts that load the state of something else."""
ANY: Mapping[str, Form] = MappingProxyType({})
REMEDY = "move it away, or start again with force=true"


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


def load(path: Path, forms: Mapping[str, Form] = ANY) -> State | None:
    """Load what save() wrote, to the CPU, or return None if there is no file; a file with a wrong
    checksum is not opened.

    Raises DamagedState if the file is damaged or is not a checkpoint with values of these forms.
    """
    try:
        whole = regular.content(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedState(f"{path} cannot be read: {error}; {REMEDY}") from error
    import torch

    content, digest = whole[:-CHECKSUM], whole[-CHECKSUM:]
    if hashlib.sha256(content).digest() != digest:
        raise DamagedState(f"{path} is damaged or not a checkpoint; {REMEDY}")
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return {**formed(found, forms)}
    except (*MISFITS, pickle.UnpicklingError) as error:
        raise DamagedState(f"{path} is not a checkpoint{_told(error)}; {REMEDY}") from error


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Raise DamagedState if the block finds that the state read from `path` is not what it loads;
    errors that say more than that pass.
    """
    try:
        yield
    except MISFITS as error:
        if isinstance(error, ConfigError | SettingError | RunFailed) or out_of_memory(error):
            raise
        raise DamagedState(
            f"{path} is not the state of this training{_told(error)}; {REMEDY}"
        ) from error


def check_alike(name: str, own: object, saved: object) -> None:
    """Check that a saved value has the types and the shapes of a part's own one, because an
    optimiser would write past the end of a shorter tensor. What is still empty fits everything.

    Raises ValueError that says where they differ.
    """
    import torch

    if isinstance(own, torch.Tensor):
        wanted, got = _described(own), _described(saved)
        if wanted != got:
            raise ValueError(f"{name} must be {wanted}, got {got}")
    elif isinstance(own, Mapping) and own:
        if not isinstance(saved, Mapping) or own.keys() != saved.keys():
            raise ValueError(f"{name} must be {_described(own)}, got {_described(saved)}")
        for key, each in own.items():
            check_alike(f"{name}.{key}", each, saved[key])
    elif isinstance(own, list | tuple) and own:
        if not isinstance(saved, list | tuple) or len(own) != len(saved):
            raise ValueError(f"{name} must be {_described(own)}, got {_described(saved)}")
        for index, each in enumerate(own):
            check_alike(f"{name}.{index}", each, saved[index])
    elif own is not None and type(own) is not type(saved):
        raise ValueError(f"{name} must be {_described(own)}, got {_described(saved)}")


def _described(value: object) -> str:
    """The type of a value, with the size of what is in it."""
    import torch

    if isinstance(value, torch.Tensor):
        return f"a tensor {tuple(value.shape)} {value.dtype} {value.layout}"
    if isinstance(value, Mapping):
        return f"keys {', '.join(map(str, value)):.80}"
    if isinstance(value, list | tuple):
        return f"{len(value)} values"
    return f"a {type(value).__name__}"


def _told(error: Exception) -> str:
    """The text of an error, without advice to load other types, which could run code."""
    if isinstance(error, pickle.UnpicklingError):
        return ": it holds other types than tensors and plain values"
    return f": {' '.join(f'{type(error).__name__}: {error}'.split()):.200}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
