"""Whether rows are enough for their columns."""

from collections.abc import Sequence

ROWS = 5
"""Rows a column below which estimates are far off."""


def doubts(columns: int, rows: int) -> Sequence[str]:
    """A warning if x and y together have more columns than this many rows can tell apart."""
    if columns * ROWS <= rows:
        return []
    return [
        f"x and y have {columns} columns, more than {rows} rows can tell apart, so the estimate may"
        f" be far off; use fewer columns, or at least {columns * ROWS} rows to train on"
    ]
