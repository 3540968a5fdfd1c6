"""Readings on held-out pairs: the metrics of result.json and a sentence for people."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from torch import Tensor

from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.metrics import JSON, Quantity
from infobound.runners.runs.written import Written

NEAR = 0.5
"""Distance from the cap in nats below which the cap affects an estimate."""


NORMAL = 1.96
"""Number of standard errors on each side of the mean of a 95 % normal interval."""


class Error(NamedTuple):
    """A standard error in nats, and what it is over."""

    value: float
    of: Literal["replicates", "folds", "test rows by influence values", "subsamples"]
    freedom: int
    """Degrees of freedom."""


def spread(values: Sequence[float]) -> Error:
    """The standard error of the mean of two or more independent readings."""
    return Error(statistics.stdev(values) / math.sqrt(len(values)), "replicates", len(values) - 1)


def combined(errors: Sequence[Error], *, disjoint: bool) -> Error:
    """The standard error of the mean of readings with their own standard errors, on disjoint rows
    or all on the same rows.

    For disjoint rows it is sqrt(sum_k se_k^2) / K. For the same rows it is at most the mean of the
    errors, which is used.
    """
    values = [each.value for each in errors]
    if disjoint:
        return Error(
            math.hypot(*values) / len(values), "folds", sum(each.freedom for each in errors)
        )
    return errors[0]._replace(value=statistics.fmean(values))


@dataclass(frozen=True)
class Reading:
    """Readings of mutual information in nats, one for each copy."""

    values: Sequence[float]
    error: Error
    kind: str
    """lower bound, upper bound or neither."""
    cap: float | None = None
    warnings: Sequence[str] = ()
    beside: Mapping[str, float | None] = field(default_factory=dict)
    """Further values, by their names in the metrics."""
    pointwise: Mapping[str, Tensor] | None = field(default=None, compare=False)
    """(M,) each: row of the table, fold (or copy), pmi in nats; None for pairs that are not from a
    table.
    """

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, [*self.values, self.error.value])):
            raise RunFailed(
                f"the estimate on held-out pairs is not finite, {self.values}; lower optimizer.lr"
                " or train for fewer steps"
            )

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """A 95 % normal interval in nats for the estimator's expected value."""
        reach = NORMAL * self.error.value
        return self.mean - reach, self.mean + reach

    def metrics(self, truth: float | None) -> dict[str, Quantity | JSON]:
        """The metrics of result.json."""
        return {
            "mi": Quantity([*self.values], self.error.value, self.error.of, "nats"),
            "mi_true": truth,
            "mi_cap": self.cap,
            "mi_interval": [*self.interval],
            "mi_lower_bound": self.mean if self.kind == "lower bound" else None,
            "kind": self.kind,
            "warnings": [*self.warnings, *self._near_cap()],
            **self.beside,
        }

    def _near_cap(self) -> list[str]:
        if self.cap is None or self.mean < self.cap - NEAR:
            return []
        return [
            f"{self.mean:.2f} is within {NEAR} nat of {self.cap:.2f}, the most that it can read"
            " here, so it may be low"
        ]


def sentence(metrics: Written) -> str:
    """The estimate in one sentence, such as `I(X;Y) = 1.98 ± 0.01 nats (2.86 bits); true 2.00`."""
    mi, truth = metrics["mi"], metrics["mi_true"]
    line = f"I(X;Y) = {mi:.2f} ± {metrics['mi_stderr']:.2f} nats ({mi / math.log(2):.2f} bits)"
    line += "" if truth is None else f"; true {truth:.2f}"
    return "\n".join([line, *(f"warning: {warning}" for warning in metrics["warnings"])])
