"""Progress lines for work other than training steps, with the time so far."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
log = logging.getLogger(__name__)
PAUSE = 5.0
"""Seconds until the first line, and between two lines."""


class Parts(Sized, Iterable[T_co], Protocol[T_co]):
    """A collection that is processed part by part."""


class Waiting:
    """Prints a line every `PAUSE` seconds from its own thread while its block runs, without slowing
    the block. The line has the time left if the block iterates over `tracked` parts.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._clock = what, clock
        self._begun = self._since = clock()
        self._share = 0.0
        self._ended = threading.Event()

    def begin(self) -> None:
        """Start to iterate over parts."""
        self._since, self._share = self._clock(), 0.0

    def reach(self, share: float) -> None:
        """Note that this share of the parts is done."""
        self._share = share

    def line(self) -> str:
        """The work, the time so far, and the time left for the current parts."""
        now, share = self._clock(), self._share
        told = f"{self._what}: {now - self._begun:.0f} s so far"
        if not 0 < share < 1:
            return told
        return f"{told}, {(now - self._since) * (1 - share) / share:.0f} s left"

    def _tell(self) -> None:
        while not self._ended.wait(PAUSE):
            log.info(self.line())

    def __enter__(self) -> "Waiting":
        self._outer = INNERMOST.set(self)
        self._thread = threading.Thread(target=self._tell, name=self._what, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        INNERMOST.reset(self._outer)


INNERMOST: ContextVar[Waiting | None] = ContextVar("waiting", default=None)
"""The innermost running block."""


def tracked(parts: Parts[T_co]) -> Iterator[T_co]:
    """Iterate over the parts, and report the share that is done to the running block."""
    waiting = INNERMOST.get()
    if waiting is not None:
        waiting.begin()
    for done, part in enumerate(parts, 1):
        yield part
        if waiting is not None:
            waiting.reach(done / len(parts))
