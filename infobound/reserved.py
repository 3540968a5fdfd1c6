"""Settings that only the user may give."""

from typing import Annotated, TypeVar

T = TypeVar("T")
RESERVED = "counts on the command line and in conf/ alone"
Reserved = Annotated[T, RESERVED]
"""A setting that says what to trust, or where to write outside the run's folder: a configuration
file from elsewhere may not set it.
"""
