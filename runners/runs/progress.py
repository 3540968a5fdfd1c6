"""The progress of a run: a bar in a terminal, plain lines in a pipe or a file."""

import logging
import sys
import time
from shutil import get_terminal_size
from types import TracebackType

from tqdm import tqdm

log = logging.getLogger(__name__)
PAUSE = 5.0
"""Seconds between two lines without a reading."""


class Progress:
    """Counts the steps from `done` to `total`; costs about a microsecond a step."""

    def __init__(self, done: int, total: int) -> None:
        self._bar = tqdm(
            initial=done,
            total=total,
            unit="step",
            disable=not sys.stderr.isatty(),
            ncols=get_terminal_size().columns,
            leave=False,
        )
        self._first, self._total, self._begun = done, total, time.monotonic()
        self._silent_until = self._begun + PAUSE

    def advance(self) -> None:
        """Count one step."""
        self._bar.update()

    def show(self, step: int, reading: str) -> None:
        """Show the current reading next to the bar, or print a line if there is no bar; without a
        reading only if none was printed for a while.
        """
        if not self._bar.disable:
            if reading:
                self._bar.set_postfix_str(reading)
            return
        now = time.monotonic()
        if not reading and now < self._silent_until:
            return
        self._silent_until = now + PAUSE
        speed = (step - self._first) / max(now - self._begun, 1e-9)
        log.info(
            "step %d/%d  %s  %.0f steps/s  %.0f s left",
            step,
            self._total,
            reading,
            speed,
            (self._total - step) / max(speed, 1e-9),
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
