"""What came of runs: a row each, the mean of a metric for each setting, and the figures that a reader looks for."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path
from textwrap import wrap

import pandas as pd
from pandas.api.types import is_numeric_dtype

from runners import plots, sample_plots, tables
from runners.checkpoint import write_atomically
from runners.errors import ConfigError
from runners.runs import Run, found
from runners.snapshots import Snapshots

LINES = 20
"""Lines that a figure has at most; the keys beyond are averaged over."""
SETTINGS = 60
"""Settings that stand side by side in one figure at most."""
ROWS, COPIES = 12, 8
"""Settings whose samples are shown at most, and copies of each."""


@dataclass(frozen=True)
class Results:
    """Runs, their rows, the keys that were swept, and the means of a metric; no means where no completed run has it."""

    runs: list[Run]
    rows: pd.DataFrame
    keys: list[str]
    metric: str
    beside: Sequence[str]
    means: pd.DataFrame

    @classmethod
    def of(
        cls, sources: Sequence[Path], metric: str | None = None, beside: Sequence[str] = (), over: Sequence[str] = ()
    ) -> "Results":
        """What stands below the sources; the metric is by default the first of the completed runs.

        Raises ConfigError if nothing does, or if no run has the metrics or differs in the keys.
        """
        runs = found(sources)
        rows, keys = tables.table(runs)
        if unknown := set(over) - set(keys):
            raise ConfigError(
                f"over must name keys that the runs differ in, got {min(unknown)}; they differ in {', '.join(keys)}"
            )
        keys = [key for key in keys if key not in over]
        first = tables.first_metric(runs)
        if first is None:
            return cls(runs, rows, keys, metric or "", beside, pd.DataFrame())
        done = rows.query("status == 'completed'").dropna(axis=1, how="all").infer_objects()
        numbers = list(done.select_dtypes("number"))
        for name, each in [("metric", metric or first), *(("beside", each) for each in beside)]:
            if each not in numbers:
                raise ConfigError(f"{name} must be one that the runs have, got {each}; they have {', '.join(numbers)}")
        return cls(runs, rows, keys, metric or first, beside, tables.aggregated(rows, keys, metric or first, beside))

    @property
    def unfinished(self) -> list[Run]:
        """The runs that are not completed."""
        return [run for run in self.runs if run.status != "completed"]

    @property
    def counts(self) -> str:
        """How the runs ended, such as `4 of 6 runs completed, 1 failed, 1 missing`."""
        ends = [run.status for run in self.unfinished]
        others = [f", {ends.count(status)} {status}" for status in sorted(set(ends))]
        return f"{len(self.runs) - len(ends)} of {len(self.runs)} runs completed{''.join(others)}"

    def line(self, folder: Path) -> str:
        """How the runs ended, and where the rows stand that `written` left in the folder."""
        return f"{self.counts}; {folder / 'summary.csv'}"

    def table(self) -> str:
        """The means in Markdown."""
        return markdown(self.means, self.keys, self.metric, self.beside) if len(self.means) else ""

    def written(self, folder: Path) -> Iterator[tuple[str, plots.Figure]]:
        """Write summary.csv, summary.md and figures/, and hand out each figure with its name."""
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "summary.csv", self.rows.to_csv(index=False).encode())
        parts = [f"{self.counts}.\n", self.table(), failures(self.unfinished)]
        write_atomically(folder / "summary.md", "\n".join(filter(None, parts)).encode())
        swept = figures(self.means, self.keys, self.metric) if len(self.means) else ()
        for name, figure in chain(swept, made(self.rows, self.keys)):
            name = name.replace("/", "_")
            write_atomically(folder / "figures" / f"{name}.png", plots.png(figure))
            yield name, figure
        if len(self.runs) == 1 and (snapshots := Snapshots.of(self.runs[0].path)):
            sample_plots.film(snapshots, folder / "figures" / "training.gif")


def markdown(means: pd.DataFrame, keys: Sequence[str], metric: str, beside: Sequence[str] = ()) -> str:
    """A Markdown table: the swept keys, the kind where kinds differ, the truth, what stands beside, mean ± sd over runs,
    bits, runs.

    A setting with one run has its standard error for the sd, and only a metric in nats has bits.
    """
    kinds = ["kind"] if len({*means["kind"]}) > 1 else []
    bits = ["bits"] if in_nats(metric) else []
    columns = [*keys, *kinds, "truth", *beside, "mean ± sd", *bits, "runs"]
    lines = [_line(columns), "|" + " --- |" * len(columns)]
    for row in means.to_dict("records"):
        spread = f"{row['sd']:.3f}" if row["runs"] > 1 else f"{row['stderr']:.3f} (standard error)"
        cells = {key: shown(row[key]) for key in [*keys, *kinds]} | {name: _decimals(row[name]) for name in beside}
        cells["truth"] = "" if pd.isna(row["truth"]) else f"{row['truth']:.3f}"
        cells |= {"mean ± sd": f"{row['mean']:.3f} ± {spread}", "bits": f"{row['mean'] / math.log(2):.3f}"}
        cells["runs"] = str(row["runs"])
        lines.append(_line([cells[column] for column in columns]))
    return "\n".join(lines) + "\n"


def failures(unfinished: Sequence[Run]) -> str:
    """A Markdown table of the runs that are not completed, those of one error together; nothing where there are none."""
    together: dict[tuple[str, str], list[Run]] = {}
    for run in unfinished:
        together.setdefault((run.status, run.error.partition("\n")[0].replace("|", "\\|")), []).append(run)
    lines = [_line([status, str(len(runs)), error, str(runs[0].path)]) for (status, error), runs in together.items()]
    return "\n".join(["| status | runs | error | the first |", "| --- | --- | --- | --- |", *lines, ""]) if lines else ""


def figures(means: pd.DataFrame, keys: Sequence[str], metric: str) -> Iterator[tuple[str, plots.Figure]]:
    """The metric against each numeric swept key, against the truth where there are several, and a map of each two keys.

    Where only names were swept, such as estimators, they stand side by side.
    """
    label = f"{metric} in nats" if in_nats(metric) else metric
    numeric = [key for key in keys if is_numeric_dtype(means[key]) and _distinct(means.dropna(subset=[key]), key) > 1]
    named = [key for key in keys if key not in numeric]
    means = means.assign(**{key: means[key].map(shown) for key in named})
    if named and not numeric and len(means) <= SETTINGS:
        labels = means[named].agg(", ".join, axis=1)
        yield "settings", plots.side_by_side(means.assign(label=labels), label, ", ".join(named))
    known = means.dropna(subset=["truth"])
    if _distinct(known, "truth") > 1:
        yield "truth", plots.against_truth(_lines(known, "truth", _distinguished(known, named), metric), label)
    for key in numeric:
        yield key, _against(means.dropna(subset=[key]), key, [other for other in keys if other != key], metric, label)
    for first, second in combinations(keys, 2):
        row, column = (second, first) if first in numeric and second in named else (first, second)
        yield from _heat_map(means.dropna(subset=[row, column]), row, column, keys, label)


def made(rows: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[str, plots.Figure]]:
    """The last samples of the copies of every setting, where the runs have kept any."""
    settings: dict[str, sample_plots.Row] = {}
    for values, group in tables.grouped(rows, keys):
        kept = [each for path in group["run"] if (each := Snapshots.of(Path(path)))]
        name = ", ".join(f"{key}={shown(value)}" for key, value in zip(keys, values if keys else (), strict=True))
        if kept and len(settings) < ROWS:
            settings[name] = sample_plots.Row([x for each in kept for x in each.last][:COPIES], kept[0].data)
    if settings:
        yield "samples", sample_plots.gallery(settings)


def _against(means: pd.DataFrame, key: str, others: Sequence[str], metric: str, label: str) -> plots.Figure:
    """A line for each setting of the other keys, over some of which there is a mean where all would be too many lines.

    Where no setting has all values of those, as in a random search, every setting is a point.
    """
    kept = _distinguished(means, others)
    over = [other for other in others if other not in kept]
    points = tables.averaged(means, [key, *kept], over)
    if _distinct(points, key) < 2:
        return plots.against(key, _lines(means, key, kept, metric), label, joined=False)
    return plots.against(key, _lines(points, key, kept, metric), _averaged(label, over), joined=True)


def _heat_map(
    means: pd.DataFrame, row: str, column: str, keys: Sequence[str], label: str
) -> Iterator[tuple[str, plots.Figure]]:
    """The mean of each pair of values over the other keys; nothing unless most pairs of two or more values each were run."""
    over = [key for key in keys if key not in (row, column)]
    pairs = tables.averaged(means, [row, column], over)
    size = _distinct(means, row), _distinct(means, column)
    if min(size) > 1 and 2 * len(pairs) > math.prod(size):
        cells = pairs.pivot(index=row, columns=column, values="mean")
        upwards = cells if is_numeric_dtype(cells.index) else cells.iloc[::-1]
        yield f"{row},{column}", plots.heat_map(upwards.rename(index=shown, columns=shown), _averaged(label, over))


def _lines(points: pd.DataFrame, key: str, kept: Sequence[str], metric: str) -> plots.Lines:
    groups = tables.grouped(points.sort_values(key), kept)
    lines = {", ".join(shown(value) or "–" for value in setting) if kept else metric: group for setting, group in groups}
    return plots.Lines(lines, ", ".join(kept), len(kept) == 1 and is_numeric_dtype(points[kept[0]]))


def _distinguished(means: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """As many of the keys, those of the fewest values first, as have no more settings than a figure has lines."""
    kept: list[str] = []
    for key in sorted(keys, key=lambda key: _distinct(means, key)):
        if len(means[[*kept, key]].drop_duplicates()) <= LINES:
            kept.append(key)
    return [key for key in keys if key in kept]


def _distinct(means: pd.DataFrame, key: str) -> int:
    return len(means[key].unique())


def _averaged(label: str, over: Sequence[str]) -> str:
    return "\n".join([f"{label},", *wrap(f"mean over {', '.join(over)}", 40)]) if over else label


def in_nats(metric: str) -> bool:
    """Whether the metric is information: `mi`, what begins with `mi_`, and what ends in `_nats`."""
    return metric.partition("_")[0] == "mi" or metric.endswith("_nats")


def shown(value: float | str | None) -> str:
    """A setting as a person writes it."""
    if value is None or pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _decimals(value: float) -> str:
    """Three decimals, or the power of ten of what would show none of its digits."""
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
