"""Courses of training: a held-out quantity against step, over the runs of each setting."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from infobound.runners.reports.tables import grouped
from infobound.runners.runs.metrics import copies_of
from infobound.runners.runs.written import Written


def course(rows: pd.DataFrame, keys: Sequence[str], name: str) -> pd.DataFrame:
    """Of the completed runs of each setting of `keys` the mean and the standard deviation of `name`
    by step.

    Columns are the keys, step, mean and sd. Replicates of a run count as runs, and of one alone
    there is no sd. Empty where no run has recorded such a quantity.
    """
    points = [
        {**{key: row[key] for key in keys}, **point}
        for row in rows.query("status == 'completed'").to_dict("records")
        for point in _points(Path(row["run"]), name, row.get("stderr_of") == "replicates")
    ]
    if not points:
        return pd.DataFrame()
    return (
        grouped(pd.DataFrame(points), [*keys, "step"])
        .agg(mean=("value", "mean"), sd=("value", "std"))
        .reset_index()
    )


def _points(run: Path, name: str, independent: bool) -> Iterator[Written]:
    """What a run read on held-out examples at each step; of independent copies, what each of them
    did.
    """
    file = run / "metrics.jsonl"
    for text in file.read_text().splitlines() if file.is_file() else ():
        line = json.loads(text)
        if line["split"] == "validation" and name in line:
            for value in copies_of(line, name) if independent else [line[name]]:
                yield {"step": line["step"], "value": value}
