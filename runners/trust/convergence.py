"""Whether a held-out curve has come to its end: its slope there against its noise."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t

LEAST = 5
"""Evaluations that a slope and its noise are told from; where there are more than three times as
many, their last third.
"""
MATERIAL = 0.01
"""Nats below which a rise does not matter, however certain it is."""
CERTAINTY = 0.95


class Trend(NamedTuple):
    """What a straight line through the end of a curve rises by, in nats."""

    rise: float
    stderr: float
    freedom: int

    @property
    def converged(self) -> bool:
        """Whether the rise is noise or does not matter; a curve that falls is at its end too."""
        return self.rise <= max(MATERIAL, float(t.ppf(CERTAINTY, self.freedom)) * self.stderr)


def trend(values: Sequence[float]) -> Trend | None:
    """Of evaluations at equal distances, by least squares; None where there are too few to tell."""
    count = max(LEAST, len(values) // 3)
    if len(values) < LEAST:
        return None
    place = np.linspace(-0.5, 0.5, count)
    end = np.asarray(values[-count:])
    slope = float(place @ end / (place @ place))
    residuals = end - end.mean() - slope * place
    return Trend(
        slope,
        math.sqrt(float(residuals @ residuals) / (count - 2) / float(place @ place)),
        count - 2,
    )
