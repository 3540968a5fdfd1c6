"""The errors of a finished `sweep=beyond_normal`: python -m benchmarks.beyond_normal
outputs/sweeps/beyond_normal

It covers all forty tasks, and those that stay distinct if only ranks are read; `within` counts
errors of at most max(0.1 nats, 15 % of the truth).
"""

import argparse
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from infobound.datasets.pairs.beyond_normal import distinct, tasks
from infobound.runners.reports import tables
from infobound.runners.reports.runs import found

LINE = "{:>4}  {:<8}  {:>4}  {:>10.3f}  {:>7.3f}  {:>6}"
HEAD = "seed  tasks     runs  mean error  largest  within"


def errors(
    rows: Sequence[Mapping[str, Any]], names: Collection[str]
) -> tuple[int, float, float, int]:
    """The number of runs of these tasks, their mean and largest absolute error in nats, and how
    many are within the limit.
    """
    chosen = [row for row in rows if row["dataset.joint.task"] in names]
    off = [abs(row["mi"] - row["mi_true"]) for row in chosen]
    within = sum(
        error <= max(0.1, 0.15 * row["mi_true"]) for error, row in zip(off, chosen, strict=True)
    )
    return len(off), statistics.fmean(off), max(off), within


def main(arguments: list[str]) -> None:
    """Print a line for each seed and group of tasks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    table, _ = tables.table(found([parser.parse_args(arguments).source]))
    done = [row for row in table.to_dict("records") if row["status"] == "completed"]
    print(HEAD)
    for seed in sorted({row["seed"] for row in done}):
        for name, group in {"forty": tasks(), "distinct": distinct()}.items():
            print(
                LINE.format(
                    seed, name, *errors([row for row in done if row["seed"] == seed], group)
                )
            )


if __name__ == "__main__":
    main(sys.argv[1:])
