"""SIGINT, SIGTERM and SIGUSR2: an exception between steps, a flag for later within a step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from infobound.runners.runs.errors import Interrupted

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Slurm sends the last one when time is up; it may follow a SIGTERM with the same meaning."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted immediately when a signal arrives."""
    with _handled(_stop):
        yield


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


class Deferred:
    """Notes the first signal in `received`, which is checked between steps; a second signal ends
    the process immediately.
    """

    received: int = 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note signals if interruptible() is active; otherwise a caller from Python keeps its own
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
    """Handle signals in the main thread, as Python requires; elsewhere this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.signal(number, handler) for number in CAUGHT}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
