"""File locks: one process at a time may write; the system releases the lock of a dead process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infobound import regular
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
            with suppress(OSError):  # what the run has written is complete
                (path / LOCK).unlink()


@contextmanager
def owned(file: Path, *, seconds: float, doing: str) -> Iterator[int]:
    """Yield a descriptor of the locked file, which is created if it does not exist; the owner may
    remove the file.

    It is opened for writing, as locks on network file systems require. Raises Busy, which says what
    the other process is `doing`, if that still has the lock after `seconds`.
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
    """Yield whether no process works in the directory; if so, other processes wait for the end of
    this block.
    """
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _taken(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether a process is working in the directory."""
    with unless_held(path) as free:
        return not free


def _acquired(file: Path) -> int | None:
    """A descriptor that holds the lock, or None if another process has it or has just removed the
    file.
    """
    descriptor = regular.writable(file, os.O_RDWR)
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
