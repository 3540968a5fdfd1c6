"""Print what the packages read as tables in Markdown, one for each number of rows:

    python -m benchmarks.others.report outputs/others.jsonl --seed 0

Errors are absolute, in nats. `read` counts the tasks that gave a number among those tried, `mean`
is over these, and `ours` is this project's mean on the same ones. `13` is over the tasks of
`tables.THIRTEEN` and `40` over the forty, empty where not all of them gave a number. `holds` is the
share of stated intervals that hold the truth, and `CPU s` a median.
"""

import argparse
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.others import running
from benchmarks.others.tables import THIRTEEN
from infobound.datasets.pairs.beyond_normal import distinct, tasks
from infobound.datasets.pairs.transformed import up_to_ranks

OURS = "infobound"
HEAD = (
    "| package | estimator | read | mean | ours | 13: mean | median | largest "
    "| 40: mean | median | largest | holds | CPU s |\n| " + " | ".join(["---"] * 13) + " |"
)


@dataclass(frozen=True)
class Reading:
    """The value read in nats, None where the estimator failed, and its CPU time in seconds."""

    truth: float
    value: float | None
    interval: Sequence[float | None] | None
    seconds: float

    @property
    def error(self) -> float | None:
        """The absolute error in nats, None where there is no value."""
        return None if self.value is None else abs(self.value - self.truth)

    @property
    def holds(self) -> bool | None:
        """Whether the interval holds the truth, None where there is none."""
        if self.interval is None:
            return None
        low, high = self.interval
        return (low is None or low <= self.truth) and (high is None or self.truth <= high)


Readings = Mapping[str, Reading]
"""The readings by the name of their task."""


def read(lines: Sequence[Mapping[str, Any]], rows: int) -> Mapping[tuple[str, str], Readings]:
    """The readings of each package's estimators at a number of rows.

    This project ranks every column, so what it reads of a task counts for all tasks with its ranks.
    """
    found = dict[tuple[str, str], dict[str, Reading]]()
    for line in (line for line in lines if line["rows"] == rows):
        reading = Reading(*(line[name] for name in ("truth", "value", "interval", "seconds")))
        found.setdefault((line["package"], line["estimator"]), {})[line["task"]] = reading
    first = {up_to_ranks(joint): name for name, joint in distinct().items()}
    for (package, _), readings in found.items():
        if package == OURS:
            alike = {name: first[up_to_ranks(joint)] for name, joint in tasks().items()}
            readings |= {name: readings[one] for name, one in alike.items() if one in readings}
    return found


def errors(readings: Readings, names: Collection[str]) -> list[float]:
    """The errors in nats of those tasks that gave a number."""
    found = [readings[name].error for name in names if name in readings]
    return [error for error in found if error is not None]


def three(readings: Readings, names: Collection[str]) -> list[str]:
    """The mean, median and largest error in nats, empty if not all tasks gave a number."""
    off = errors(readings, names)
    if len(off) < len(names):
        return [""] * 3
    return [f"{each:.3f}" for each in (statistics.fmean(off), statistics.median(off), max(off))]


def row(package: str, estimator: str, readings: Readings, ours: Readings) -> str:
    """One line of the table."""
    read = [name for name, reading in readings.items() if reading.error is not None]
    stated = [held for each in readings.values() if (held := each.holds) is not None]
    seconds = statistics.median(readings[name].seconds for name in read or readings)
    mean, beside = (errors(each, read) for each in (readings, ours))
    cells = [
        package,
        estimator,
        f"{len(read)} of {len(readings)}",
        f"{statistics.fmean(mean):.3f}" if mean else "",
        f"{statistics.fmean(beside):.3f}" if mean and len(beside) == len(mean) else "",
        *three(readings, THIRTEEN),
        *three(readings, tasks()),
        f"{statistics.fmean(stated):.2f}" if stated else "-",
        f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Print one table for each number of rows. Exits with a message if no line has the seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    lines: list[Mapping[str, Any]] = [
        line for line in running.written(asked.lines) if line["seed"] == asked.seed
    ]
    if not lines:
        raise SystemExit(f"{asked.lines} must have lines of seed {asked.seed}, got none")
    for rows in sorted({line["rows"] for line in lines}):
        found = read(lines, rows)
        ours = next((each for (package, _), each in found.items() if package == OURS), {})
        print(f"{rows:,} rows, seed {asked.seed}\n\n{HEAD}")
        for (package, estimator), readings in sorted(found.items()):
            print(row(package, estimator, readings, ours))
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
