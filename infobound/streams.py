"""Standard streams that cannot fail a run: output may be lost, but never a result."""

import os
import sys
from io import TextIOWrapper
from typing import TextIO


class Lenient(TextIOWrapper):
    """A text stream that becomes silent if its other end is closed or its disk is full."""

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
        """Discard the buffer and all later output."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def lenient(stream: TextIO | None, descriptor: int) -> TextIO:
    """The standard stream of a descriptor that never raises: neither if it is closed (`None`), nor
    for characters that its encoding lacks, which are escaped.
    """
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    binary = os.fdopen(descriptor, "wb", closefd=False)
    return Lenient(binary, stream.encoding, "backslashreplace", line_buffering=True)


def make_lenient() -> None:
    """Replace this process's standard streams by lenient ones."""
    sys.stdout, sys.stderr = lenient(sys.stdout, 1), lenient(sys.stderr, 2)
