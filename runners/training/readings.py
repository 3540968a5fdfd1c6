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


BEST = "best estimate"
"""The kind of a value that is meant to be the truth."""
CALIBRATED = "known truths"
"""The name in results of the standard error's source for a best estimate."""
NAMES = {"neither": "neither bound"}
"""The kinds that have another name for people."""
MEANINGS = {
    BEST: "for the truth",
    "lower bound": "of the lower bound (the truth may lie above)",
    "upper bound": "of the upper bound (the truth may lie below)",
    "neither": "of the estimator's value, without its bias",
}
"""The meaning of an interval, by kind."""
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


class Best(NamedTuple):
    """The best estimate from several readings of the same rows, nats."""

    value: float
    interval: tuple[float, float]
    """A 95 % interval for the truth; its upper end is infinite if there may be no limit."""
    stderr: float
    """The standard error of a normal estimate whose interval is as wide; an open interval counts as
    wide as it would be if it were closed.
    """
    chosen: str
    """The source of the value: `critics` or `nearest neighbours`."""


@dataclass(frozen=True)
class Reading:
    """Readings of mutual information in nats, one for each copy."""

    values: Sequence[float]
    error: Error
    kind: str
    """lower bound, upper bound or neither: the relation of the readings' mean to the truth."""
    cap: float | None = None
    warnings: Sequence[str] = ()
    beside: Mapping[str, float | None] = field(default_factory=dict)
    """Further values, by their names in the metrics."""
    best: Best | None = None
    """A better estimate than the mean, if there is one."""
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
    def value(self) -> float:
        """The best estimate, or the mean of the readings if there is no better one, nats."""
        return self.mean if self.best is None else self.best.value

    @property
    def stderr(self) -> float:
        """The standard error of the value in nats."""
        return self.error.value if self.best is None else self.best.stderr

    @property
    def interval(self) -> tuple[float, float]:
        """A 95 % interval in nats: for the truth if there is a best estimate, otherwise a normal
        one for the estimator's expected value.
        """
        if self.best is not None:
            return self.best.interval
        reach = NORMAL * self.error.value
        return self.mean - reach, self.mean + reach

    def metrics(self, truth: float | None) -> dict[str, Quantity | JSON]:
        """The metrics of result.json."""
        read = Quantity([*self.values], self.error.value, self.error.of, "nats")
        bound: Quantity | float | None = self.mean if self.kind == "lower bound" else None
        value, kind = read, self.kind
        if self.best is not None:
            value, kind, bound = (
                Quantity(
                    [*self.values], self.best.stderr, CALIBRATED, "nats", pooled=self.best.value
                ),
                BEST,
                read,
            )
        return {
            "mi": value,
            "mi_true": truth,
            "mi_cap": self.cap,
            "mi_interval": [end if math.isfinite(end) else None for end in self.interval],
            "mi_lower_bound": bound,
            "kind": kind,
            "warnings": [*self.warnings, *self._near_cap()],
            **({} if self.best is None else {"mi_from": self.best.chosen}),
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
    """The estimate in one line, such as `I(X;Y) = 1.98 ± 0.01 nats (2.86 bits), lower bound; true
    2.00`, and a line for each warning. A best estimate has its interval for the truth.
    """
    mi, truth, kind = metrics["mi"], metrics["mi_true"], metrics["kind"]
    line = f"I(X;Y) = {_shown(mi)} ± {metrics['mi_stderr']:.2f} nats"
    line += f" ({_shown(mi / math.log(2))} bits), {NAMES.get(kind) or kind}"
    if kind == BEST:
        bound, error = metrics["mi_lower_bound"], metrics["mi_lower_bound_stderr"]
        line += f", 95 % interval {ends_of(metrics['mi_interval'])} for the truth"
        line += f", held-out lower bound {_shown(bound)} ± {error:.2f}"
    line += "" if truth is None else f"; true {truth:.2f}"
    return "\n".join([line, *(f"warning: {warning}" for warning in metrics["warnings"])])


def ends_of(interval: Sequence[float | None]) -> str:
    """An interval as `0.96 to 1.08`, or `0.96 or more` if it has no upper end."""
    low, high = interval
    low = "0.00" if low is None else _shown(low)
    return f"{low} or more" if high is None else f"{low} to {_shown(high)}"


def _shown(value: float) -> str:
    """Format with two decimals, without the sign of a zero."""
    return f"{round(value, 2) + 0.0:.2f}"
