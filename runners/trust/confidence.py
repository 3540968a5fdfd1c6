"""Confidence intervals of a reading."""

import math
import statistics

from scipy.stats import norm, t

from infobound.runners.training.readings import Reading


def interval(reading: Reading, confidence: float) -> tuple[float, float]:
    """The ends in nats, by Student's t with the degrees of freedom behind the standard error.

    Of folds it is t over the folds' own readings, where what training makes of other rows shows,
    yet never narrower than the normal interval of their test rows: three folds agree by chance at
    times. It is an interval of what the estimator reads; the truth lies above it where that is a
    lower bound.
    """
    error = reading.error
    reach = float(t.ppf((1 + confidence) / 2, error.freedom)) * error.value
    if error.of == "folds":
        count = len(reading.values)
        between = (
            statistics.stdev(reading.values)
            / math.sqrt(count)
            * float(t.ppf((1 + confidence) / 2, count - 1))
        )
        reach = max(between, float(norm.ppf((1 + confidence) / 2)) * error.value)
    return reading.mean - reach, reading.mean + reach
