"""Runs the estimators of one package on tables, with numpy alone, so that it runs in the package's
own environment.
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

THREADS = "OMP_NUM_THREADS"
FIELDS = ("x", "y", "task", "seed", "truth")


@dataclass(frozen=True)
class Answer:
    """An estimate in nats, and its interval where the package states one."""

    value: float
    interval: tuple[float, float] | None = None


Estimator = Callable[[np.ndarray, np.ndarray, int], Answer | float]
"""Turns x (N, dim_x), y (N, dim_y) and a seed into an answer, or nats."""


@dataclass(frozen=True)
class Table:
    """The rows of one task at one seed, and their truth in nats."""

    task: str
    seed: int
    truth: float
    x: np.ndarray
    y: np.ndarray


def run(package: str, estimators: Mapping[str, Estimator], arguments: Sequence[str]) -> None:
    """Append one JSON line for each estimator and table that the file does not have yet.

    `package` is the name under which pip installs it. Exits with a message if the tables or the
    lines cannot be read, or if more than one thread may run.
    """
    parser = argparse.ArgumentParser(description=f"Run {package} on tables.")
    parser.add_argument("tables", type=Path, help="a folder that benchmarks.others.tables wrote")
    parser.add_argument("lines", type=Path, help="a file of JSON lines, which is continued")
    parser.add_argument("--estimator", nargs="+", choices=list(estimators), default=[*estimators])
    asked = parser.parse_args(arguments)
    if os.environ.get(THREADS) != "1":
        raise SystemExit(f"{THREADS} must be 1, got {os.environ.get(THREADS)}")
    done = {key(line) for line in written(asked.lines)}
    asked.lines.parent.mkdir(parents=True, exist_ok=True)
    for table in tables(asked.tables):
        for name in asked.estimator:
            about = {
                "package": package,
                "version": version(package),
                "estimator": name,
                "task": table.task,
                "rows": len(table.x),
                "seed": table.seed,
                "truth": table.truth,
            }
            if key(about) not in done:
                line = json.dumps(about | answered(estimators[name], table))
                with asked.lines.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")


def key(line: Mapping[str, object]) -> tuple[object, ...]:
    """The identity of a line; a second run does not write a line with the same one."""
    return tuple(line[name] for name in ("package", "estimator", "task", "rows", "seed"))


def written(path: Path) -> list[dict[str, object]]:
    """The lines of a file, none if it does not exist. Exits with a message if one is no JSON."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise SystemExit(f"{path}: every line must be JSON, got {error.doc!r}: delete it") from None


def tables(folder: Path) -> Iterator[Table]:
    """The tables of a folder. Exits with a message if there is none, or one cannot be read."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise SystemExit(f"{folder} must have .npz tables: python -m benchmarks.others.tables")
    for path in paths:
        with np.load(path) as file:
            if missing := [name for name in FIELDS if name not in file]:
                raise SystemExit(f"{path} must have {', '.join(FIELDS)}: no {', '.join(missing)}")
            yield Table(
                str(file["task"]), int(file["seed"]), float(file["truth"]), file["x"], file["y"]
            )


def answered(estimator: Estimator, table: Table) -> dict[str, object]:
    """The value and interval in nats, the CPU seconds, and the error where there is no value."""
    random.seed(table.seed)  # packages draw from the global streams
    np.random.seed(table.seed)
    start = time.process_time()
    value, interval, error = None, None, None
    try:
        answer = estimator(table.x, table.y, table.seed)
        answer = answer if isinstance(answer, Answer) else Answer(float(answer))
        value, interval = answer.value, answer.interval
    except Exception as raised:  # whatever a package raises is what its user gets
        error = f"{type(raised).__name__}: {raised}"
    if value is not None and not math.isfinite(value):
        value, error = None, f"the value is {value}"
    return {
        "value": value,
        "interval": interval,
        "seconds": time.process_time() - start,
        "error": error,
    }
