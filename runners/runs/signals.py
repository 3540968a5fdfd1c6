"""SIGINT, SIGTERM and SIGUSR2: an exception between steps, a note to be read later within one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from infobound.runners.runs.errors import Interrupted

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""The last is Slurm's word that time is up; it may follow a SIGTERM that said so too."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted at once when a signal comes."""
    with _handled(_stop):
        yield


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


class Deferred:
    """Notes the first signal in `received`, to be asked for between two steps; a second one ends
    the process at once.
    """

    received: int = 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note signals where interruptible() is entered; a caller from Python keeps its own
        handlers.
        """
        if signal.getsignal(signal.SIGINT) is not _stop:
            yield
            return
        with _handled(self._note):
            yield

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for each in CAUGHT:
            signal.signal(each, signal.SIG_IGN if each == signal.SIGUSR2 else signal.SIG_DFL)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Python lets the main thread alone handle signals; elsewhere this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.signal(number, handler) for number in CAUGHT}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
