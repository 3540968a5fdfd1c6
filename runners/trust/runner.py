"""An estimate with checks of how far to trust it."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from infobound.datasets.pairs.consistency import EXPECTED, derived
from infobound.errors import SettingError
from infobound.estimators.base import Estimator
from infobound.runners.estimate.measured import Measure, Measured
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs import plots
from infobound.runners.runs.records import InMemory, Outcome, Record
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.permutation import PERMUTATIONS, RECOMPUTATIONS, combined
from infobound.runners.training.randomness import generator
from infobound.runners.trust.confidence import interval
from infobound.runners.trust.convergence import trend

EXAMINED_IN_NATS = ("mi_ci_low", "mi_ci_high", "mi_rise")


@dataclass(frozen=True, kw_only=True)
class Trust:
    """An estimate with its confidence interval, its p-value against independence, and a check of
    convergence.

    With `consistency`, the same settings also estimate three derived data sets, whose mutual
    information is 0, 1 and 2 times that of the original (datasets.pairs.consistency). The p-value
    comes from `permutations` of the test rows' partners for a fixed critic, or from
    `recomputations` of an estimator without a critic.

    Raises ValueError for values out of range.
    """

    estimate: Estimate
    confidence: float = 0.95
    permutations: int = PERMUTATIONS
    recomputations: int = RECOMPUTATIONS
    consistency: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise SettingError("confidence", "must lie between 0 and 1", self.confidence)
        limits.positive(self, "permutations", "recomputations")
        if self.consistency and self.estimate.load is not None:
            raise SettingError(
                "consistency",
                "must be false with runner.load: derived data sets need their own critics",
            )

    def prepare(self) -> Callable[[Record], Outcome]:
        """Read the data, build every network and try it on a batch of zeros.

        Raises ValueError or OSError if settings or data are wrong.
        """
        measure, others = self.estimate.measuring(), self._derived()

        def run(record: Record) -> Outcome:
            measured = measure(record)
            found = {
                **self._examined(measured, record),
                **self._consistent(measured, others),
            }
            metrics, steps = {**measured.outcome.metrics, **found}, measured.outcome.steps
            if self.consistency:
                record.figure("consistency", plots.consistency(metrics, EXPECTED), steps)
            return measured.outcome._replace(
                metrics=metrics,
                summary=f"{measured.outcome.summary}\n{self._report(metrics)}",
                units={**measured.outcome.units, **dict.fromkeys(EXAMINED_IN_NATS, "nats")},
            )

        return run

    def _derived(self) -> dict[str, Measure]:
        if not self.consistency:
            return {}
        datasets = derived(
            self.estimate.dataset,
            generator(torch.device("cpu"), self.estimate.execution.seed, "derived"),
        )
        try:
            return {
                name: dataclasses.replace(self.estimate, dataset=dataset).measuring()
                for name, dataset in datasets.items()
            }
        except ValueError as error:
            raise SettingError(
                "consistency",
                f"is not possible with these settings, use runner.consistency=false: {error}",
            ) from error

    def _examined(self, measured: Measured, record: Record) -> Written:
        low, high = interval(measured.reading, self.confidence)
        permuted = measured.permuted(self._permutations)
        p_values = [each.p_value for each in permuted]
        curve = trend([line["mi"] for line in record.history() if line["split"] == "validation"])
        record.figure(
            "permutation",
            plots.permutation(permuted[0].permuted.numpy(), permuted[0].observed, self._statistic),
            measured.outcome.steps,
        )
        return {
            "mi_ci_low": low,
            "mi_ci_high": high,
            "p_value": combined(p_values),
            "p_value_replicates": p_values,
            "converged": None if curve is None else curve.converged,
            "mi_rise": None if curve is None else curve.rise,
        }

    @property
    def _statistic(self) -> str:
        if isinstance(self.estimate.estimator, Estimator):
            return "mean score of the critic in nats"
        return plots.INFORMATION

    @property
    def _permutations(self) -> int:
        return (
            self.permutations
            if isinstance(self.estimate.estimator, Estimator)
            else self.recomputations
        )

    def _consistent(
        self, measured: Measured, others: Mapping[str, Measure]
    ) -> dict[str, float | None]:
        """The estimate of each derived data set with its error, and its ratio to the original
        estimate if that is distinguishable from 0.
        """
        mi, stderr = measured.reading.value, measured.reading.stderr
        found: dict[str, float | None] = {}
        for name, measure in others.items():
            other = measure(InMemory()).reading
            found |= {f"mi_{name}": other.value, f"mi_{name}_stderr": other.stderr}
            found[f"ratio_{name}"] = other.value / mi if mi > 2 * stderr else None
        return found

    def _report(self, metrics: Written) -> str:
        """The result in a few lines."""
        low, high = metrics["mi_ci_low"], metrics["mi_ci_high"]
        lines = [
            (
                f"{100 * self.confidence:g} % interval {_shown(low)} to {_shown(high)} nats"
                f" ({_shown(low / math.log(2))} to {_shown(high / math.log(2))} bits), its error"
                f" over {metrics['stderr_of']}"
            ),
            (
                f"against independence: p = {metrics['p_value']:.3g} ({self._permutations}"
                " permutations)"
            ),
        ]
        if (cap := metrics["mi_cap"]) is not None:
            lines.append(
                f"it can read at most {_shown(cap)} nats ({_shown(cap / math.log(2))} bits)"
            )
        if metrics["converged"] is not None:
            told = (
                "has converged"
                if metrics["converged"]
                else "still rises: increase runner.steps or runner.patience"
            )
            lines.append(f"the held-out curve {told} ({metrics['mi_rise']:+.3f} nats at the end)")
        if self.consistency:
            lines += [_ratio(name, expected, metrics) for name, expected in EXPECTED.items()]
        return "\n".join(lines)


def _ratio(name: str, expected: int, metrics: Written) -> str:
    ratio = metrics[f"ratio_{name}"]
    told = "" if ratio is None else f", {_shown(ratio)} times the estimate"
    return (
        f"{name.replace('_', ' ')}: {_shown(metrics[f'mi_{name}'])} nats{told} (should be"
        f" {expected} times the estimate)"
    )


def _shown(value: float) -> str:
    """Format with two decimals, without the sign of a zero."""
    return f"{round(value, 2) + 0.0:.2f}"
