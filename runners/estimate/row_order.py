"""Check whether rows that follow one another are alike."""

from collections.abc import Sequence

import torch
from torch import Tensor

from infobound.datasets.interfaces import Rows
from infobound.datasets.units import firsts
from infobound.runners.training.autocorrelation import alike, memory_of

LEAST = 30
"""Minimum number of effective rows of a series."""


def order_doubts(rows: Rows) -> Sequence[str]:
    """A warning if neighbouring rows are alike in x and in y but are treated as independent, or if
    a series is worth too few independent rows. Only the first of the rows that stay in one split
    counts.
    """
    if (series := memory_of(rows)) is not None:
        if series.effective >= LEAST:
            return []
        return [
            f"x and y change so slowly that {series.rows} rows are worth about"
            f" {series.effective:.0f} independent ones, so the estimate may be far off; use a"
            " longer series, or differences of neighbouring rows"
        ]
    kept = one_of_each_unit(rows)
    if (found := alike(rows.x[kept], rows.y[kept])) is None:
        return []
    return [
        f"neighbouring rows are alike in x and in y, so {found.rows} rows are worth about"
        f" {found.effective:.0f} independent ones: the estimate may be too high, its error and"
        " p-value too small; use dataset.order=time if the rows follow one another, or shuffle them"
        " if their order means nothing"
    ]


def one_of_each_unit(rows: Rows) -> Tensor:
    """The positions (M,) of the first rows of all units, which are rows that stay in one split."""
    return _firsts(rows, rows.about.units)


def one_of_each_copy(rows: Rows) -> Tensor:
    """The positions (M,) of all rows that are not copies of an earlier row."""
    return _firsts(rows, rows.about.copies)


def _firsts(rows: Rows, number: Tensor | None) -> Tensor:
    return torch.arange(len(rows.x)) if number is None else firsts(number)
