"""Changes of each dimension that leave mutual information as it is; each is fitted on the training rows alone.

N rows, D dimensions. A function here takes the training rows (N, D) and returns what to do with any rows.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

Transform = Literal["none", "standardise"]
Fitted = Callable[[Tensor], Tensor]


def none(train: Tensor) -> Fitted:
    """Leave the rows alone."""
    return lambda rows: rows


def standardise(train: Tensor) -> Fitted:
    """Mean 0 and standard deviation 1 in each dimension; a dimension that is constant in training is only shifted."""
    mean, deviation = train.mean(0), train.std(0, correction=0)
    scale = deviation.where(deviation > 0, 1.0)
    return lambda rows: (rows - mean) / scale
