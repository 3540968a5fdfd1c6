"""Report: run directories in, summary.csv, a table and figures out, without training anything again."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from runners import plots, runs
from runners.checkpoint import write_atomically
from runners.errors import ConfigError
from runners.records import Outcome, Record


@dataclass(frozen=True, kw_only=True)
class Report:
    """Reads every run at or below `source`, one folder or several, and writes into `into`, by default the one source.

    The table is of `metric`, with a column for the mean of each in `beside`; runs that differ in the keys `over` alone are
    taken together, as those of several seeds are. `page` names a Markdown file, such as RESULTS.md,
    in which the table replaces what stands between `<!-- block -->` and `<!-- /block -->`.
    """

    source: str | Sequence[str]
    metric: str
    beside: Sequence[str]
    over: Sequence[str]
    into: str | None
    page: str | None
    block: str | None

    def __post_init__(self) -> None:
        if (self.page is None) != (self.block is None):
            raise ValueError(f"page and block must be given together, got {self.page} and {self.block}")
        if self.into is None and not isinstance(self.source, str):
            raise ValueError("into must name the folder to write to where source lists several")

    def prepare(self) -> Callable[[Record], Outcome]:
        """Read the runs.

        Raises ConfigError if there are none, or no block to replace.
        """
        sources = [self.source] if isinstance(self.source, str) else self.source
        rows, keys = runs.table(runs.found(map(Path, sources)), self.metric)
        completed = "completed" in set(rows["status"])
        for name, metric in [("metric", self.metric), *(("beside", each) for each in self.beside)]:
            if completed and metric not in rows:
                raise ConfigError(f"{name} must be one that the runs have, got {metric}; they have {', '.join(rows.columns)}")
        if unknown := set(self.over) - set(keys):
            raise ConfigError(
                f"over must name keys that the runs differ in, got {min(unknown)}; they differ in {', '.join(keys)}"
            )
        keys = [key for key in keys if key not in self.over]
        folder = Path(self.into or sources[0])
        page = "" if self.page is None else Path(self.page).read_text()
        name = re.escape(self.block or "")
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if self.page is not None and not block.search(page):
            raise ConfigError(
                f"block must be one that stands in {self.page} as <!-- block --> <!-- /block -->, got {self.block}"
            )

        def run(record: Record) -> Outcome:
            means = runs.aggregated(rows, keys, self.metric, self.beside) if completed else pd.DataFrame()
            summary = markdown(means, keys, self.metric, self.beside)
            (folder / "figures").mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "summary.csv", rows.to_csv(index=False).encode())
            write_atomically(folder / "summary.md", summary.encode())
            if self.page is not None:
                write_atomically(Path(self.page), block.sub(lambda found: found[1] + summary + found[2], page).encode())
            for name, figure in figures(means, keys, self.metric) if completed else ():
                write_atomically(folder / "figures" / f"{name}.png", plots.png(figure))
                record.figure(name, figure, 0)
            statuses = dict(zip(rows["run"], rows["status"], strict=True))
            done, total = list(statuses.values()).count("completed"), len(statuses)
            line = f"{done} of {total} runs completed; {folder / 'summary.csv'}"
            return Outcome({"runs": total, "completed": done}, float(done), line)

        return run


def markdown(means: pd.DataFrame, keys: Sequence[str], metric: str, beside: Sequence[str] = ()) -> str:
    """A Markdown table: the swept keys, the kind where kinds differ, the truth, what stands beside, mean ± sd over runs,
    bits, runs.

    A setting with one run has its standard error for the sd, and only a metric in nats has bits.
    """
    kinds = ["kind"] if "kind" in means and len({*means["kind"]}) > 1 else []
    bits = ["bits"] if metric.startswith("mi") else []
    columns = [*keys, *kinds, "truth", *beside, "mean ± sd", *bits, "runs"]
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for row in means.to_dict("records"):
        spread = f"{row['sd']:.3f}" if row["runs"] > 1 else f"{row['stderr']:.3f} (standard error)"
        cells = {key: _shown(row[key]) for key in [*keys, *kinds]} | {name: f"{row[name]:.3f}" for name in beside}
        cells["truth"] = "" if pd.isna(row["truth"]) else f"{row['truth']:.3f}"
        cells |= {"mean ± sd": f"{row['mean']:.3f} ± {spread}", "bits": f"{row['mean'] / math.log(2):.3f}"}
        cells["runs"] = str(row["runs"])
        lines.append(f"| {' | '.join(cells[column] for column in columns)} |")
    return "\n".join(lines) + "\n"


def figures(means: pd.DataFrame, keys: Sequence[str], metric: str) -> Iterator[tuple[str, plots.Figure]]:
    """The metric against each numeric swept key, and against the truth where there is one; a line for each other setting.

    Where only names were swept, such as estimators, they stand side by side.
    """
    axes = [key for key in keys if is_numeric_dtype(means[key])]
    if keys and not axes:
        labels = means[list(keys)].astype(str).agg(", ".join, axis=1)
        yield "settings", plots.side_by_side(means.assign(label=labels), metric)
    if len(means["truth"].dropna().unique()) > 1:
        yield "truth", _figure(means, "truth", [key for key in keys if key not in axes], metric)
    for key in axes:
        yield key, _figure(means, key, [other for other in keys if other != key], metric)


def _figure(means: pd.DataFrame, key: str, others: Sequence[str], metric: str) -> plots.Figure:
    ordered = means.sort_values(key)
    lines = {", ".join(map(str, setting)) or metric: group for setting, group in runs.grouped(ordered, others)}
    return plots.against(key, lines, metric)


def _shown(value: float | str) -> str:
    if pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
