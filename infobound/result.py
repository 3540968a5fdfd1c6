"""The result of an estimate: a number in nats with its interval, and more on request."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import nn

from infobound.runners.estimate.measured import Measured
from infobound.runners.runs import records
from infobound.runners.runs.written import Written
from infobound.runners.training import permutation
from infobound.runners.training.readings import MEANINGS, NAMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Estimate:
    """An estimate of I(X;Y) in nats."""

    mi: float
    """The estimate in nats."""
    stderr: float
    """Standard error of `mi` in nats; `metrics["stderr_of"]` says over what."""
    interval: tuple[float, float]
    """A 95 % interval in nats: for the truth if `kind` is `best estimate`, otherwise for the
    estimator's expected value. The upper end is infinite if the truth may be.
    """
    lower_bound: float | None
    """The held-out lower bound in nats, None if the estimator is not a lower bound."""
    kind: str
    """`best estimate`, or the relation of the estimator's value to the truth: `lower bound`, `upper
    bound` or `neither`.
    """
    cap: float | None
    """The largest value in nats that the estimator can read, None if there is no limit."""
    warnings: tuple[str, ...]
    """Reasons to doubt the estimate."""
    estimator: str
    """The estimator's class, such as `DV`."""
    critic: nn.ModuleList | None
    """The trained networks, one for each fold, in evaluation mode; None if nothing was trained.
    They take rows after the data set's transform.
    """
    metrics: Written
    """The metrics that result.json would have."""
    measured: Measured = field(repr=False)
    history: Sequence[Written] = field(repr=False)
    """The lines that metrics.jsonl would have."""

    @property
    def bits(self) -> float:
        """`mi` in bits."""
        return self.mi / math.log(2)

    @property
    def pointwise(self) -> "pd.DataFrame | None":
        """The pointwise mutual information of every held-out row, in the columns row, fold and pmi
        (nats), as in pointwise.parquet; None if the estimator does not give it.
        """
        columns = self.measured.reading.pointwise
        return None if columns is None else records.frame(columns)

    def p_value(self, permutations: int | None = None) -> float:
        """The p-value against independence, from permutations of the held-out rows' partners.

        A trained critic is not trained again, so 999 permutations cost little; an estimator without
        a critic is computed again for each of 99. Phipson and Smyth 2010,
        https://doi.org/10.2202/1544-6115.1585

        Raises ValueError for fewer than one permutation.
        """
        if permutations is None:
            permutations = permutation.PERMUTATIONS if self.critic else permutation.RECOMPUTATIONS
        if permutations < 1:
            raise ValueError(f"permutations must be a positive integer, got {permutations}")
        return permutation.combined([each.p_value for each in self.measured.permuted(permutations)])

    def plot(self) -> "Figure":
        """The estimate against training steps, with its error and the estimator's cap."""
        from infobound.runners.runs import plots  # importing Matplotlib takes half a second

        return plots.estimate_by_step(self.history, None, self.cap)

    def __repr__(self) -> str:
        count = len(self.warnings)
        warned = "" if not count else f", {count} warning{'s' if count > 1 else ''}"
        return f"{self._line(self._nats)}{warned}"

    def __str__(self) -> str:
        line = self._line(f"{self._nats} ({_shown(self.bits)} bits)")
        warnings = (f"warning: {warning}" for warning in self.warnings)
        return "\n".join([line, f"The interval is {MEANINGS[self.kind]}.", *warnings])

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        rows = {
            "I(X;Y)": f"<b>{_shown(self.mi)}</b> nats ({_shown(self.bits)} bits)",
            "95 % interval": f"{self._ends} nats, {MEANINGS[self.kind]}",
            "kind": html.escape(f"{_worded(self.kind)} ({self.estimator})"),
            "cap": None if self.cap is None else f"{_shown(self.cap)} nats",
            "warnings": "<br>".join(map(html.escape, self.warnings)),
        }
        cells = (f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows.items() if text)
        return f"<table>{''.join(cells)}</table>"

    def _line(self, amount: str) -> str:
        return f"I(X;Y) = {amount}, {_worded(self.kind)} ({self.estimator})"

    @property
    def _nats(self) -> str:
        return f"{_shown(self.mi)} {self._ends} nats"

    @property
    def _ends(self) -> str:
        low, high = self.interval
        return f"[{_shown(low)}, {_shown(high) if math.isfinite(high) else '∞'}]"


def _worded(kind: str) -> str:
    return NAMES.get(kind, kind)


def _shown(value: float) -> str:
    """Format with two decimals, without the sign of a zero."""
    return f"{round(value, 2) + 0.0:.2f}"
