"""What was read on held-out pairs: the metrics of result.json and the sentence for a person."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runners.errors import RunFailed

FOLDS = "folds"
"""What the standard error of a cross-fitted estimate is of."""
REPLICATES = "replicates"
"""What that of independent copies is of."""


@dataclass(frozen=True)
class Reading:
    """Readings of mutual information, one a copy, in nats."""

    values: Sequence[float]
    own_stderr: float
    """Standard error by other means than the values' spread; it counts where there is one copy, and of folds."""
    own_stderr_of: str
    kind: str
    """lower bound, upper bound or neither."""
    cap: float | None = None
    warnings: Sequence[str] = ()
    beside: Mapping[str, float | None] = field(default_factory=dict)
    """What else was computed, by its name in the metrics."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, [*self.values, self.own_stderr])):
            raise RunFailed(
                f"the estimate on held-out pairs is not finite, {self.values}; lower optimizer.lr or use estimator=infonce"
            )

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    def metrics(self, truth: float | None) -> dict[str, Any]:
        """The metrics of result.json."""
        values, count = list(self.values), len(self.values)
        independent = count > 1 and self.own_stderr_of != FOLDS
        return {
            "mi": self.mean,
            "mi_stderr": statistics.stdev(values) / math.sqrt(count) if independent else self.own_stderr,
            "mi_true": truth,
            "mi_cap": self.cap,
            "mi_replicates": values,
            "stderr_of": REPLICATES if independent else self.own_stderr_of,
            "kind": self.kind,
            "warnings": list(self.warnings),
            **self.beside,
        }


def sentence(metrics: dict[str, Any]) -> str:
    """The estimate as a person reads it, such as `I(X;Y) = 1.98 ± 0.01 nats (2.86 bits); true 2.00`."""
    mi, truth = metrics["mi"], metrics["mi_true"]
    line = f"I(X;Y) = {mi:.2f} ± {metrics['mi_stderr']:.2f} nats ({mi / math.log(2):.2f} bits)"
    line += "" if truth is None else f"; true {truth:.2f}"
    return "\n".join([line, *(f"warning: {warning}" for warning in metrics["warnings"])])
