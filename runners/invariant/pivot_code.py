"""Pivots as critics read them.

R copies, B batch, N rows, P pivots, E columns of their code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import Pivot
from infobound.models.layers.standardised import Standardised


class PivotCode:
    """Numbers as they are and categories as one-hot rows, all of mean 0 and deviation 1 among rows
    (N, P) of each copy.
    """

    def __init__(self, pivots: Sequence[Pivot], copies: Sequence[Tensor]) -> None:
        self._sizes = [len(pivot.categories) for pivot in pivots]
        self._scales = [Standardised(self._columns(rows)) for rows in copies]
        self._mean, self._scale = (
            torch.stack([each.get_buffer(name) for each in self._scales]).unsqueeze(1)
            for name in ("mean", "scale")
        )

    def __call__(self, pivots: Tensor) -> Tensor:
        """(R, B, E) of a batch (R, B, P) of all copies."""
        return (self._columns(pivots) - self._mean) / self._scale

    def of(self, copy: int, pivots: Tensor) -> Tensor:
        """(N, E) of rows (N, P) of one copy."""
        return self._scales[copy](self._columns(pivots))

    def _columns(self, pivots: Tensor) -> Tensor:
        """(..., E)"""
        parts = []
        for column, size in zip(pivots.unbind(-1), self._sizes, strict=True):
            categories = torch.arange(size, device=pivots.device)
            parts.append(
                (column.unsqueeze(-1) == categories).float() if size else column.unsqueeze(-1)
            )
        return torch.cat(parts, dim=-1)
