"""What a classifier made of held-out rows, as everything that is measured on them takes it.

N rows, C classes, P pivots.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledRows


@dataclass(frozen=True, eq=False)
class Predictions:
    """Held-out rows with their logits."""

    rows: LabelledRows
    logits: Tensor
    """(N, C - 1) of the classes but the first, against the first."""

    @property
    def labels(self) -> Tensor:
        """(N,)"""
        return self.rows.labels

    @property
    def pivots(self) -> Tensor:
        """(N, P) float64."""
        return self.rows.pivots.double()

    @property
    def weights(self) -> Tensor:
        """(N,) float64, 1 where the rows have none."""
        weights = self.rows.weights
        return torch.ones_like(self.labels).double() if weights is None else weights.double()

    @property
    def predicted(self) -> Tensor:
        """(N, C) log probabilities."""
        return self._whole.log_softmax(1)

    @property
    def answers(self) -> Tensor:
        """(N,) the most probable classes."""
        return self.predicted.argmax(1)

    def log_odds(self, label: int) -> Tensor:
        """(N,) log p / (1 - p) of a class."""
        others = [each for each in range(self._whole.shape[1]) if each != label]
        return self._whole[:, label] - self._whole[:, others].logsumexp(1)

    def to(self, device: torch.device) -> "Predictions":
        """The same on a device."""
        return Predictions(self.rows.to(device), self.logits.to(device))

    def of_class(self, label: int) -> "Predictions":
        """The rows of one class."""
        return Predictions(self.rows.of_class(label), self.logits[self.labels == label])

    @property
    def _whole(self) -> Tensor:
        """(N, C) float64 logits against the first class, whose own is 0."""
        return F.pad(self.logits.double(), (1, 0))


def log_probabilities(logits: Tensor) -> Tensor:
    """(..., C) nats of logits (..., C - 1) against the first class, whose own is 0."""
    return F.pad(logits.float(), (1, 0)).log_softmax(-1)
