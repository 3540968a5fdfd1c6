"""Who may write: one process at a time, which the system lets in when the one before it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infobound.runners.runs.errors import Busy

LOCK = ".lock"


@contextmanager
def locked(path: Path, *, seconds: float) -> Iterator[None]:
    """Hold the directory's lock.

    Raises Busy if another process still has it after `seconds`.
    """
    with owned(path / LOCK, seconds=seconds, doing=f"running in {path}"):
        try:
            yield
        finally:
            (path / LOCK).unlink(missing_ok=True)


@contextmanager
def owned(file: Path, *, seconds: float, doing: str) -> Iterator[int]:
    """A descriptor of the file, made where it is not, that no other process has as long; its owner
    may take the file away.

    It is opened for writing, as locks on network file systems need. Raises Busy, which tells what
    another process is `doing`, if it still is after `seconds`.
    """
    until = time.monotonic() + seconds
    while (descriptor := _acquired(file)) is None:
        if time.monotonic() > until:
            raise Busy(f"another process is {doing}; wait for it, or use another name")
        time.sleep(0.01)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def unless_held(path: Path) -> Iterator[bool]:
    """Whether nobody is at work in the directory; who finds a lock there then waits for the end of
    this block.
    """
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _taken(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether a process is at work in the directory."""
    with unless_held(path) as free:
        return not free


def _acquired(file: Path) -> int | None:
    """A descriptor that holds the lock; None if another has it, or took the file away just
    before.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    if _taken(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
    os.close(descriptor)
    return None


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    return True
