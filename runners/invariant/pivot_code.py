"""Pivots as inputs of critics.

R copies, B batch, N rows, P pivots, E columns of their code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import Pivot
from infobound.models.layers.standardised import Standardised
from infobound.runners.runs.written import State


class PivotCode:
    """Numbers, and categories as one-hot rows, all standardised by the rows (N, P) of each copy."""

    def __init__(self, pivots: Sequence[Pivot], copies: Sequence[Tensor]) -> None:
        self._sizes = [len(pivot.categories) for pivot in pivots]
        self._scales = [Standardised(self._columns(rows)) for rows in copies]
        self._mean, self._scale = self._stacked()

    def state(self) -> State:
        return {"scales": [dict(each.named_buffers()) for each in self._scales]}

    def load(self, state: State) -> None:
        for each, saved in zip(self._scales, state["scales"], strict=True):
            each.load_state_dict(saved)
        self._mean, self._scale = self._stacked()

    def __call__(self, pivots: Tensor) -> Tensor:
        """Encode a batch (R, B, P) of all copies as (R, B, E)."""
        return ((self._columns(pivots) - self._mean) / self._scale).float()

    def of(self, copy: int, pivots: Tensor) -> Tensor:
        """Encode rows (N, P) of one copy as (N, E)."""
        return self._scales[copy](self._columns(pivots))

    def _stacked(self) -> tuple[Tensor, Tensor]:
        """Means and deviations (R, 1, E) of all copies."""
        mean, scale = (
            torch.stack([each.get_buffer(name) for each in self._scales]).unsqueeze(1)
            for name in ("mean", "scale")
        )
        return mean, scale

    def _columns(self, pivots: Tensor) -> Tensor:
        """(..., E)"""
        parts = []
        for column, size in zip(pivots.unbind(-1), self._sizes, strict=True):
            categories = torch.arange(size, device=pivots.device)
            parts.append(
                (column.unsqueeze(-1) == categories).float() if size else column.unsqueeze(-1)
            )
        return torch.cat(parts, dim=-1)
