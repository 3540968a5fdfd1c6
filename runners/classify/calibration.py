"""The calibration of a classifier: the difference between its confidence and its accuracy.

N images, C classes.
"""

import torch
from torch import Tensor

BINS = 15
"""Number of bins of confidence, equally wide from 0 to 1."""


def calibration_error(predicted: Tensor, labels: Tensor) -> float:
    """Expected calibration error of log probabilities (N, C) and labels (N,): sum_b N_b / N
    |accuracy_b - confidence_b|.

    Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    confidence, answers = predicted.exp().max(dim=1)
    gaps = torch.zeros(BINS, dtype=torch.float64, device=predicted.device)
    places = (confidence * BINS).long().clamp_(max=BINS - 1)
    gaps.index_add_(0, places, (answers == labels).double() - confidence.double())
    return float(gaps.abs().sum() / len(labels))
