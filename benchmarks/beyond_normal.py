"""The errors and intervals of finished sweeps of `beyond_normal`:

    python -m benchmarks.beyond_normal outputs/sweeps/beyond_normal

Two lines for each number of rows, over all seeds: the forty tasks, where each of those that stay
distinct once columns are ranked counts for all that have its ranks, and the distinct ones, each
once. They give the mean and largest absolute error, the share of intervals that hold the truth,
their mean width, and, where the true log-ratio is known, the mean error of its mean over the same
rows; all in nats. `--each` adds a line for each task.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.distributions import MultivariateNormal

from infobound.datasets.pairs.beyond_normal import distinct, tasks
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.datasets.pairs.transformed import up_to_ranks
from infobound.runners.reports import tables
from infobound.runners.reports.runs import found

HEAD = "  rows  tasks     runs  seeds  error  largest  holds  width  floor"
LINE = "{:>6}  {:<8}  {:>4}  {:>5}  {:.4f}  {:>7.3f}  {:>5.3f}  {:>5.3f}  {:>5}"
TASK = "dataset.joint.task"


def alike(name: str) -> int:
    """The number of tasks with the same ranks as this one."""
    kind = up_to_ranks(tasks()[name])
    return sum(up_to_ranks(joint) == kind for joint in tasks().values())


def floor(name: str, rows: int, seed: int) -> float | None:
    """The absolute error in nats of the mean of the true log-ratio over the rows of a Gaussian
    task, None for other tasks.
    """
    joint = tasks()[name]
    x, y = joint.sample(rows, torch.Generator().manual_seed(seed))  # as Arrays.drawn draws them
    if isinstance(joint, CorrelatedGaussians):
        dim = joint.dim
        joint = MultivariateGaussians.sparse(dim, dim, pairs=dim, rho=joint.correlation)
    if not isinstance(joint, MultivariateGaussians):
        return None
    pairs, dim = torch.cat([x, y], dim=1).double(), joint.dim_x
    scatter = torch.tensor(joint.covariance, dtype=torch.float64)
    parts = [slice(None), slice(dim), slice(dim, None)]
    both, of_x, of_y = (
        MultivariateNormal(pairs.new_zeros(len(scatter[part])), scatter[part, part])
        .log_prob(pairs[:, part])
        .mean()
        for part in parts
    )
    return abs(float(both - of_x - of_y) - joint.mutual_information)


def summary(rows: Sequence[Mapping[str, Any]], weights: Sequence[int]) -> Sequence[float]:
    """The mean and largest absolute error in nats, the share of intervals that hold the truth, and
    their mean width in nats, of runs that count `weights` times.
    """
    off = [abs(row["mi"] - row["mi_true"]) for row in rows]
    ends = [(low, math.inf if high is None else high) for low, high in map(interval, rows)]
    holds = [low <= row["mi_true"] <= high for row, (low, high) in zip(rows, ends, strict=True)]
    mean = partial(statistics.fmean, weights=weights)
    return mean(off), max(off), mean(holds), mean([high - low for low, high in ends])


def interval(row: Mapping[str, Any]) -> tuple[float, float | None]:
    """The interval of a run, as its result tells it."""
    low, high = json.loads((Path(row["run"]) / "result.json").read_text("utf-8"))["metrics"][
        "mi_interval"
    ]
    return low, high


def main(arguments: list[str]) -> None:
    """Print two lines for each number of rows, and with --each one for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--each", action="store_true", help="a line for each task")
    asked = parser.parse_args(arguments)
    table, _ = tables.table(found(asked.sources))
    done = [
        row
        for row in table.to_dict("records")
        if row["status"] == "completed" and row[TASK] in distinct()
    ]
    print(HEAD)
    for count in sorted({int(row["dataset.rows"]) for row in done}):
        rows = [row for row in done if row["dataset.rows"] == count]
        weights = [alike(row[TASK]) for row in rows]
        floors = [floor(row[TASK], count, int(row["seed"])) for row in rows]
        known = [each for each in floors if each is not None]
        least = f"{statistics.fmean(known):.3f}" if known else "-"
        told = len(rows), len({row["seed"] for row in rows})
        print(LINE.format(count, "forty", *told, *summary(rows, weights), least))
        print(LINE.format(count, "distinct", *told, *summary(rows, [1] * len(rows)), least))
        for name in sorted({row[TASK] for row in rows}) if asked.each else []:
            one = [row for row in rows if row[TASK] == name]
            print(LINE.format(count, name, len(one), len(one), *summary(one, [1] * len(one)), ""))


if __name__ == "__main__":
    main(sys.argv[1:])
