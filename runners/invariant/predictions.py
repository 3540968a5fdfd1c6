"""The predictions of a classifier for held-out rows, from which all measures are computed.

N rows, C classes, P pivots.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledRows
from infobound.datasets.units import firsts


@dataclass(frozen=True, eq=False)
class Predictions:
    """Held-out rows with their logits."""

    rows: LabelledRows
    logits: Tensor
    """(N, C - 1) logits of all classes except the first, relative to the first."""

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
        """(N,) float64, 1 if the rows have no weights."""
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
        """The predictions on a device."""
        return Predictions(self.rows.to(device), self.logits.to(device))

    def of_class(self, label: int) -> "Predictions":
        """The rows of one class."""
        return Predictions(self.rows.of_class(label), self.logits[self.labels == label])

    def of_each_unit(self) -> "Predictions":
        """The first row of each unit, such as a group; these are independent."""
        if self.rows.units is None:
            return self
        first = firsts(self.rows.units)
        return Predictions(self.rows.take(first), self.logits[first])

    @property
    def crowding(self) -> float:
        """The factor by which an error over rows is too small if the rows of a unit are all alike:
        the square root of the number of rows over that of units of equal size.
        """
        if self.rows.units is None:
            return 1.0
        sizes = self.rows.units.unique(return_counts=True)[1].double()
        return float((sizes.square().sum() / sizes.sum()).sqrt())

    @property
    def _whole(self) -> Tensor:
        """(N, C) float64 logits relative to the first class, whose logit is 0."""
        return F.pad(self.logits.double(), (1, 0))


def log_probabilities(logits: Tensor) -> Tensor:
    """Log probabilities (..., C) from logits (..., C - 1) relative to the first class."""
    return F.pad(logits.float(), (1, 0)).log_softmax(-1)
