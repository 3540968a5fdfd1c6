"""Check that there are enough rows for the columns."""

from collections.abc import Sequence

ROWS = 5
"""Minimum number of rows for each column, below which estimates are far off."""


def doubts(columns: int, rows: int) -> Sequence[str]:
    """A warning if x and y together have too many columns for this number of rows."""
    if columns * ROWS <= rows:
        return []
    return [
        f"x and y have {columns} columns, too many for {rows} rows, so the estimate may"
        f" be far off; use fewer columns, or at least {columns * ROWS} rows to train on"
    ]
