"""Whether a held-out curve has converged: its final slope compared with its noise."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t

LEAST = 5
"""Minimum number of evaluations for a slope and its noise; of more than three times as many, the
last third is used.
"""
MATERIAL = 0.01
"""Rise in nats below which a curve counts as converged."""
CERTAINTY = 0.95


class Trend(NamedTuple):
    """The rise of a straight line through the end of a curve, in nats."""

    rise: float
    stderr: float
    freedom: int

    @property
    def converged(self) -> bool:
        """Whether the rise is noise or negligible; a falling curve counts as converged."""
        return self.rise <= max(MATERIAL, float(t.ppf(CERTAINTY, self.freedom)) * self.stderr)


def trend(values: Sequence[float]) -> Trend | None:
    """Fit evaluations at equal distances by least squares; None if there are too few."""
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
