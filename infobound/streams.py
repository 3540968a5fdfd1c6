"""Standard streams that cannot fail a run: what is printed may be lost, a result may not."""

import os
import sys
from io import TextIOWrapper
from typing import TextIO


class Lenient(TextIOWrapper):
    """A text stream that falls silent where its other end is closed, or its disk is full."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            self._fall_silent()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        """Send what is still in the buffer, and all that follows, nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def lenient(stream: TextIO | None, descriptor: int) -> TextIO:
    """The standard stream of a descriptor as one that raises nothing: not where it is closed
    (`None`), and not for letters that its encoding lacks, which are written by their numbers.
    """
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    binary = os.fdopen(descriptor, "wb", closefd=False)
    return Lenient(binary, stream.encoding, "backslashreplace", line_buffering=True)


def make_lenient() -> None:
    """Put lenient streams in the place of this process's own."""
    sys.stdout, sys.stderr = lenient(sys.stdout, 1), lenient(sys.stderr, 2)
