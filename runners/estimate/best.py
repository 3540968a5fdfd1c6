"""The best estimate of the information in a table, with an interval for the truth, from what
critics and nearest neighbours read.
"""

import math
from dataclasses import replace

import torch

from infobound.estimators.base import SampleEstimate
from infobound.runners.estimate.beside import Beside
from infobound.runners.training.readings import NORMAL, Best, Reading

BELOW, ABOVE = 0.5, 1.0
"""Shares of the gap between the training and the held-out reading by which the interval reaches
beyond sampling error, below and above.
"""
SAMPLING = 1.2
"""Factor of the standard error of the held-out rows, which comes from few groups of rows."""
FEW = 3
"""Maximum number of columns of x and y in which nearest neighbours can replace the critics."""
HIDDEN = 8.0
"""Information times rows that no estimate tells from chance: a mean of log-ratios whose variance is
twice their mean, as for weak dependence, is two of its errors above 0 at 8 / N.
"""
CLEARLY = 3.0
"""Number of standard errors by which nearest neighbours must read more than critics do of training
rows.
"""
BIAS = 0.04
"""Share of what nearest neighbours read that their bias may be."""


def with_best(reading: Reading, training: float, beside: Beside) -> Reading:
    """The reading with the best estimate, and a warning if other readings lie above its
    interval.
    """
    found = best(reading, training, beside)
    others = {"nearest neighbours": beside.neighbours, "canonical correlations": beside.gaussian}
    above = [
        f"{name} read {other.value:.2f} nats, above the interval, so the estimate may be low"
        for name, other in others.items()
        if beside.independent
        and other is not None
        and other.value - NORMAL * other.stderr > found.interval[1]
    ]
    return replace(reading, best=found, warnings=[*reading.warnings, *above])


def best(reading: Reading, training: float, beside: Beside) -> Best:
    """The best estimate in nats from the held-out and the training reading of the same critics.

    A held-out bound is low by what training on few rows costs; the same critics read the training
    rows too high, by about as much, or less if no critic can represent the log-ratio. The estimate
    lies the further towards the training reading the closer both are, and is at the held-out one,
    at least 0, where that shows nothing; compare Efron and Tibshirani 1997,
    https://doi.org/10.1080/01621459.1997.10474007.

    Where nothing is found, the interval reaches to what this number of rows can hide: each of the
    D_x D_y correlations costs a critic that has to learn it about 1 / N nats.

    In up to three columns, nearest neighbours replace the critics where they read clearly more,
    because they can follow edges; otherwise the interval reaches to theirs.
    """
    held_out = max(reading.mean, 0.0)
    gap = max(training - held_out, 0.0)
    value = held_out + (gap * held_out / training if gap > 0 else 0.0)
    reach = NORMAL * SAMPLING * reading.error.value
    interval = max(0.0, value - BELOW * gap - reach), value + ABOVE * gap + reach
    if interval[0] == 0:
        of_x, of_y = beside.dims
        interval = 0.0, max(interval[1], value + (HIDDEN + of_x * of_y) / beside.rows)
    found, chosen = beside.neighbours, "critics"
    if found is not None and beside.independent and beside.columns <= FEW:
        if interval[0] > 0:
            interval = interval[0], max(interval[1], found.value + NORMAL * found.stderr)
        above = found.value - training
        if above > CLEARLY * _error_of_difference(reading, beside, found):
            value, chosen = found.value, "nearest neighbours"
            reach = NORMAL * found.stderr + BIAS * value
            interval = max(0.0, min(training, value - reach)), value + reach
    low, high = interval
    stderr = (high - low) / (2 * NORMAL)
    return Best(value, (low, high if beside.unlimited is None else math.inf), stderr, chosen)


def _error_of_difference(reading: Reading, beside: Beside, neighbours: SampleEstimate) -> float:
    """The standard error of the difference of nearest neighbours and critics, in nats: smaller than
    that of independent readings where both read the same rows.
    """
    read, terms = reading.pointwise, beside.terms
    if read is not None and terms is not None:
        known = torch.full((1 + int(max(read["row"].max(), terms.rows.max())),), math.nan)
        known[read["row"]] = read["pmi"].float()
        apart = terms.nats - known[terms.rows]
        apart = apart[~apart.isnan()]
        if 2 * len(apart) > len(terms.rows):
            return float(apart.std()) / math.sqrt(len(apart))
    return math.hypot(neighbours.stderr, reading.error.value)
