"""Confidence intervals of a reading."""

import math
import statistics

from scipy.stats import norm, t

from infobound.runners.training.readings import NORMAL, Reading


def interval(reading: Reading, confidence: float) -> tuple[float, float]:
    """The ends of an interval in nats, by Student's t with the degrees of freedom of the standard
    error.

    For folds, it is Student's t over the folds' readings, which include the variance of training,
    but never narrower than the normal interval of their test rows, because three folds sometimes
    agree by chance. It is an interval for the estimator's expected value; the truth may be above
    that of a lower bound. A best estimate has an interval for the truth.
    """
    if reading.best is not None:
        wider = float(norm.ppf((1 + confidence) / 2)) / NORMAL
        value, (low, high) = reading.value, reading.interval
        return max(0.0, value - wider * (value - low)), value + wider * (high - value)
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
