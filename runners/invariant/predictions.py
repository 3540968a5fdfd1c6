"""What a classifier made of held-out rows, as everything that is measured on them takes it.

N rows, C classes, P pivots.
"""

from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledRows

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]


class Predictions(NamedTuple):
    """Held-out rows with their logits, and weights that are 1 where there are none."""

    logits: Numbers
    """(N, C - 1) of the classes but the first, against the first."""
    labels: Places
    """(N,)"""
    pivots: Numbers
    """(N, P)"""
    weights: Numbers
    """(N,)"""

    @classmethod
    def of(cls, logits: Tensor, rows: LabelledRows) -> "Predictions":
        """Logits (N, C - 1) of rows (N, ...)."""
        labels, pivots = (each.cpu().numpy() for each in (rows.labels, rows.pivots))
        weights = (
            np.ones(len(labels)) if rows.weights is None else rows.weights.double().cpu().numpy()
        )
        return cls(logits.double().cpu().numpy(), labels, pivots.astype(np.float64), weights)

    @property
    def predicted(self) -> Numbers:
        """(N, C) log probabilities."""
        return log_softmax(np.pad(self.logits, ((0, 0), (1, 0))), axis=1)

    @property
    def answers(self) -> Places:
        """(N,) the most probable classes."""
        return self.predicted.argmax(axis=1)

    def log_odds(self, label: int) -> Numbers:
        """(N,) log p / (1 - p) of a class."""
        whole = np.pad(self.logits, ((0, 0), (1, 0)))
        return whole[:, label] - np.logaddexp.reduce(np.delete(whole, label, axis=1), axis=1)

    def where(self, which: NDArray[np.bool_]) -> "Predictions":
        """The rows of a mask (N,)."""
        return Predictions(
            self.logits[which], self.labels[which], self.pivots[which], self.weights[which]
        )


def log_probabilities(logits: Tensor) -> Tensor:
    """(..., C) nats of logits (..., C - 1) against the first class, whose own is 0."""
    return F.pad(logits.float(), (1, 0)).log_softmax(-1)
