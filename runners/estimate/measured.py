"""The result of every way of estimating."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from torch import nn

from infobound.runners.runs import metrics as written
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training.permutation import Permuted
from infobound.runners.training.readings import Reading, sentence


class Measured(NamedTuple):
    """An estimate, with more that can be computed from it."""

    reading: Reading
    outcome: Outcome
    permuted: Callable[[int], list[Permuted]]
    """The statistic of every copy, for the observed and for permuted test rows."""
    critics: Sequence[nn.Module] = ()
    """The critic of every copy as it was read, in evaluation mode; empty if none was trained."""


class Measure(Protocol):
    """An estimate that is ready to run."""

    def __call__(self, record: Record) -> Measured: ...


def read_alone(
    reading: Reading,
    truth: float | None,
    record: Record,
) -> Outcome:
    """The outcome of a reading without training, after writing it."""
    metrics = reading.metrics(truth)
    record.write(0, "test", written.tested(metrics))
    if reading.pointwise is not None:
        record.rows("pointwise", reading.pointwise)
    result = written.result(metrics)
    return Outcome(result, reading.value, sentence(result), written.units(metrics))
