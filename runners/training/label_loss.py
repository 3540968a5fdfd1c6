"""The loss of a classifier on labels.

R copies, B batch, C classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.errors import SettingError


@dataclass(frozen=True)
class LabelLoss:
    """Cross-entropy in nats with label smoothing by the share `smoothing`, minus
    `confidence_penalty` times H.

    H is the entropy of the prediction. Szegedy et al. 2016, https://arxiv.org/abs/1512.00567;
    Pereyra et al. 2017, https://arxiv.org/abs/1701.06548

    Raises ValueError for values out of range.
    """

    smoothing: float
    confidence_penalty: float

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise SettingError("label_smoothing", "must be at least 0 and below 1", self.smoothing)
        if not self.confidence_penalty >= 0:
            raise SettingError("confidence_penalty", "must be 0 or more", self.confidence_penalty)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss (R,) of logits (R, B, C) and labels (R, B)."""
        predicted = logits.float().log_softmax(-1)
        loss = cross_entropy(predicted, labels)
        if self.smoothing:
            loss = (1 - self.smoothing) * loss - self.smoothing * predicted.mean((-2, -1))
        if self.confidence_penalty:
            loss = loss + self.confidence_penalty * (predicted.exp() * predicted).sum(-1).mean(-1)
        return loss


def cross_entropy(predicted: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """The cross-entropy (...,) in nats of log probabilities (..., B, C) and labels (..., B),
    weighted by (..., B) if given; 0 where all weights are 0.
    """
    told = predicted.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    if weights is None:
        return -told.mean(-1)
    total = weights.sum(-1)
    some = total > torch.finfo(total.dtype).tiny
    return -(told * weights).sum(-1) / total.where(some, 1.0)
