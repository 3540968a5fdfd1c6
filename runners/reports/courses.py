"""Learning curves: a held-out quantity by step, over the runs of each setting."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from infobound.runners.reports.tables import grouped
from infobound.runners.runs import schemas
from infobound.runners.runs.metrics import copies_of
from infobound.runners.runs.written import Written


def course(rows: pd.DataFrame, keys: Sequence[str], name: str) -> pd.DataFrame:
    """The mean and the standard deviation of `name` by step, over the completed runs of each
    setting of `keys`.

    Columns are the keys, step, mean and sd. Replicates count as runs; a single run has no sd. The
    table is empty if no run has recorded the quantity.
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
    """The held-out values of a run at each step, one for each independent copy."""
    for line in schemas.held_out(run):
        if isinstance(line.get(name), int | float):
            for value in copies_of(line, name) if independent else [line[name]]:
                yield {"step": line["step"], "value": value}
