"""Bias, variance and mean squared error of the values of a level.

R copies, W values.
"""

import math
import statistics
from collections.abc import Sequence

from torch import Tensor

from infobound.runners.runs.written import Written


def by_level(values: Tensor, levels: Sequence[float], steps: int, window: int) -> list[Written]:
    """The errors of each level, with `steps` values (R, S) each, from its last `window` values."""
    ends = [steps * (index + 1) for index in range(len(levels))]
    windows = [values[:, end - window : end] for end in ends]
    return [level(*each) for each in zip(levels, windows, strict=True)]


def level(nats: float, values: Tensor) -> Written:
    """The errors of values (R, W) with the truth `nats`, where bias^2 + variance = mse over all
    values, and the mean of each copy.
    """
    errors = values.double() - nats
    squares = errors.square()
    means = (nats + errors.mean(1)).tolist()
    return {
        "level": nats,
        "mi": statistics.fmean(means),
        "mi_stderr": _stderr(errors),
        "mi_true": nats,
        "mi_replicates": means,
        "stderr_of": "replicates" if len(values) > 1 else "subsamples",
        "bias": errors.mean().item(),
        "variance": errors.var(correction=0).item(),
        "mse": squares.mean().item(),
        "mse_stderr": _stderr(squares),
        "mse_replicates": squares.mean(1).tolist(),
    }


def _stderr(values: Tensor) -> float:
    """Standard error of the mean of (R, W), from the copies if there are several."""
    independent = values.mean(1) if len(values) > 1 else values[0]
    return (independent.std() / math.sqrt(len(independent))).item()


def sentence(levels: Sequence[Written]) -> str:
    """The errors, one line for each level."""
    return "\n".join(
        f"{each['level']:g} nats: read {each['mi']:.2f} ± {each['mi_stderr']:.2f}, bias"
        f" {each['bias']:.2f}, variance {each['variance']:.2f}, mean squared error"
        f" {each['mse']:.2f}"
        for each in levels
    )
