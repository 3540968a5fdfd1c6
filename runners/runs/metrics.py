"""Metrics as values: quantities with their copies and standard errors, and their form in files.

Only this module knows a quantity's names in files (`mi`, `mi_stderr`, `mi_replicates`).
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from infobound.runners.runs.written import Written

JSON: TypeAlias = float | int | str | bool | Sequence["JSON"] | Mapping[str, "JSON"] | None
Unit = Literal["nats", "bits", "share", ""]
STDERR, COPIES = "_stderr", "_replicates"
"""Suffixes of a quantity's name in files, for its standard error and for its copies."""


def stderr_key(name: str) -> str:
    """The name of a quantity's standard error in files."""
    return f"{name}{STDERR}"


def copies_key(name: str) -> str:
    """The name of the list of a quantity's copies in files."""
    return f"{name}{COPIES}"


@dataclass(frozen=True)
class Quantity:
    """One number for each copy (replicate or fold), and the standard error of their mean."""

    copies: Sequence[float]
    stderr: float | None = None
    stderr_of: str | None = None
    """The units that the standard error is over, such as `replicates` or `test rows`."""
    unit: Unit = ""
    pooled: float | None = None
    """The joint value of all copies if it is not their mean, such as a median."""

    @property
    def value(self) -> float:
        """The mean of the copies, or their joint value."""
        return statistics.fmean(self.copies) if self.pooled is None else self.pooled

    def spread(self) -> float | None:
        """The standard error of the mean from the spread of the copies, None for one copy."""
        count = len(self.copies)
        return None if count < 2 else statistics.stdev(self.copies) / count**0.5


Metrics: TypeAlias = Mapping[str, Quantity | JSON]
"""Quantities and other facts, by name."""


def single(value: float, unit: Unit) -> Quantity:
    """A quantity of one copy."""
    return Quantity([value], unit=unit)


def together(
    copies: Sequence[Mapping[str, float]], units: Unit | Mapping[str, Unit]
) -> dict[str, Quantity]:
    """The quantities that every copy has measured, by name; all have one unit, or those that are
    named have one.
    """

    def unit(name: str) -> Unit:
        return units.get(name, "") if isinstance(units, Mapping) else units

    return {name: Quantity([each[name] for each in copies], unit=unit(name)) for name in copies[0]}


def joined(copies: Sequence[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    """The quantities that every copy has read, by name, from readings of one copy each.

    With several copies, the spread of the copies replaces the readings' own standard errors.
    """
    found = dict[str, Quantity]()
    for name, first in copies[0].items():
        each = replace(first, copies=[value for read in copies for value in read[name].copies])
        own = first.stderr is None or len(copies) == 1
        found[name] = each if own else replace(each, stderr=each.spread(), stderr_of="replicates")
    return found


def with_errors(
    found: Mapping[str, Quantity], alone: Mapping[str, float], alone_of: str
) -> dict[str, Quantity]:
    """The quantities with their standard errors: the spread of several copies, or for one copy the
    given errors, which are over `alone_of`.
    """
    several = any(len(each.copies) > 1 for each in found.values())
    if several:
        return {
            name: replace(each, stderr=each.spread(), stderr_of="replicates")
            for name, each in found.items()
        }
    return {
        name: replace(each, stderr=alone[name], stderr_of=alone_of) if name in alone else each
        for name, each in found.items()
    }


def read_at(when: str, found: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Quantities that were not read at the end, under names that say so, such as
    `auc_pretrained`.
    """
    return {f"{name}_{when}": each for name, each in found.items()}


def result(metrics: Metrics) -> dict[str, JSON]:
    """The metrics for result.json: means and standard errors, copies, then the rest."""
    quantities = _quantities(metrics)
    means = {name: each.value for name, each in quantities.items()}
    errors = {stderr_key(n): q.stderr for n, q in quantities.items() if q.stderr is not None}
    copies: dict[str, JSON] = {copies_key(n): [*q.copies] for n, q in quantities.items()}
    over = [each.stderr_of for each in quantities.values() if each.stderr_of is not None]
    said: dict[str, JSON] = {"stderr_of": over[0]} if over else {}
    rest = {name: each for name, each in metrics.items() if not isinstance(each, Quantity)}
    return {**means, **errors, **copies, **said, **rest}


def line(metrics: Metrics) -> dict[str, JSON]:
    """The metrics for a line of metrics.jsonl, with all copies if there are several."""
    written: dict[str, JSON] = {}
    for name, each in metrics.items():
        if not isinstance(each, Quantity):
            written[name] = each
            continue
        written[name] = each.value
        if each.stderr is not None:
            written[stderr_key(name)] = each.stderr
        if len(each.copies) > 1:
            written[copies_key(name)] = [*each.copies]
    return written


def units(metrics: Metrics) -> dict[str, str]:
    """The units of quantities and of their standard errors, by name in files."""
    told = {name: each.unit for name, each in _quantities(metrics).items() if each.unit}
    return told | {stderr_key(name): unit for name, unit in told.items()}


def tested(metrics: Metrics) -> dict[str, float]:
    """The means and standard errors of a final reading's quantities."""
    quantities = _quantities(metrics).items()
    means = {name: each.value for name, each in quantities}
    return means | {stderr_key(n): q.stderr for n, q in quantities if q.stderr is not None}


def copies_of(written: Written, name: str) -> Sequence[float]:
    """The copies of a quantity in a result or a line; only its mean if no copies are written."""
    return written.get(copies_key(name), [written[name]])


def _quantities(metrics: Metrics) -> dict[str, Quantity]:
    return {name: each for name, each in metrics.items() if isinstance(each, Quantity)}


def in_order(metrics: Metrics, first: Iterable[str]) -> dict[str, Quantity | JSON]:
    """The metrics with these names first."""
    ahead = {name: metrics[name] for name in first if name in metrics}
    return {**ahead, **metrics}
