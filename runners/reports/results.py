"""The results of runs: a row for each run, the mean of a metric for each setting, and figures."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from infobound.runners.reports import sweep_figures, tables
from infobound.runners.reports.runs import Run, found, set_aside
from infobound.runners.runs import plots, sample_plots
from infobound.runners.runs.aside import Aside
from infobound.runners.runs.checkpoint import write_atomically
from infobound.runners.runs.errors import ConfigError, Damaged
from infobound.runners.runs.formats import FORMATS, USUAL
from infobound.runners.runs.naming import shortened
from infobound.runners.runs.snapshots import Snapshots

CONDITIONAL = ("settings", "truth", "tradeoff")
"""Figures that a sweep may have while it is incomplete, and not when it is complete."""


@dataclass(frozen=True)
class Results:
    """Runs, their rows, the swept keys, and the means of a metric, which are missing if no
    completed run has it.
    """

    runs: list[Run]
    rows: pd.DataFrame
    keys: list[str]
    metric: str
    beside: Sequence[str]
    means: pd.DataFrame
    baseline: str | None = None
    """One of `beside` whose mean is drawn as a level in the figure of the metric by step."""
    against: tuple[str, pd.DataFrame] | None = None
    """Another metric and its means, to draw the metric against."""
    aside: Sequence[Aside] = ()
    """Damaged files that were set aside; their jobs were repeated."""

    @classmethod
    def of(
        cls,
        sources: Sequence[Path],
        metric: str | None = None,
        beside: Sequence[str] = (),
        over: Sequence[str] = (),
        baseline: str | None = None,
        against: str | None = None,
    ) -> "Results":
        """Read the runs below the sources; the metric is by default the first of the completed
        runs, drawn against the information that they have, if any.

        Raises ConfigError if there are no runs, or if no run has the metrics or differs in the
        keys.
        """
        runs, aside = tables.composed(found(sources)), set_aside(sources)
        rows, keys = tables.table(runs)
        if unknown := set(over) - set(keys):
            raise ConfigError(
                f"over must name keys in which the runs differ, got {min(unknown)}; they differ in"
                f" {', '.join(keys)}"
            )
        keys = [key for key in keys if key not in over]
        first = tables.first_metric(runs)
        if first is None:
            return cls(runs, rows, keys, metric or "", beside, pd.DataFrame(), aside=aside)
        done = rows.query("status == 'completed'").dropna(axis=1, how="all").infer_objects()
        numbers = list(done.select_dtypes("number"))
        metric = metric or first
        across = against or ("mi" if "mi" in numbers and metric != "mi" else None)
        asked = [
            ("metric", metric),
            *(("beside", each) for each in beside),
            *([("against", across)] if across else []),
        ]
        for name, each in asked:
            if each not in numbers:
                raise ConfigError(
                    f"{name} must be a metric of the runs, got {each}; they have"
                    f" {', '.join(numbers)}"
                )
        means = tables.aggregated(rows, keys, metric, beside)
        other = (across, tables.aggregated(rows, keys, across)) if across else None
        return cls(runs, rows, keys, metric, beside, means, baseline, other, aside)

    @property
    def units(self) -> dict[str, str]:
        """The units of the metrics, by name."""
        return tables.units(self.runs)

    @property
    def unfinished(self) -> list[Run]:
        """The runs that are not completed."""
        return [run for run in self.runs if run.status != "completed"]

    @property
    def counts(self) -> str:
        """The states of the runs, such as `4 of 6 runs completed, 1 failed, 1 missing`."""
        ends = [run.status for run in self.unfinished]
        others = [f", {ends.count(status)} {status}" for status in sorted(set(ends))]
        return f"{len(self.runs) - len(ends)} of {len(self.runs)} runs completed{''.join(others)}"

    def line(self, folder: Path) -> str:
        """The states of the runs, and the place of the table that `written` wrote."""
        return f"{self.counts}; {folder / 'summary.csv'}"

    def table(self) -> str:
        """The means in Markdown."""
        if not len(self.means):
            return ""
        in_nats = self.units.get(self.metric) == "nats"
        return markdown(self.means, self.keys, self.beside, bits=in_nats)

    def written(
        self, folder: Path, formats: Sequence[str] = USUAL
    ) -> Iterator[tuple[str, plots.Figure]]:
        """Write summary.csv, summary.md and figures/, and yield each figure with its name."""
        figures = folder / "figures"
        figures.mkdir(parents=True, exist_ok=True)
        if figures.is_symlink():
            raise Damaged(f"{figures} must not be a symbolic link; remove it, or set runner.into")
        write_atomically(folder / "summary.csv", self.rows.to_csv(index=False).encode())
        parts = [f"{self.counts}.\n", self.table(), failures(self.unfinished), repeats(self.aside)]
        write_atomically(folder / "summary.md", "\n".join(filter(None, parts)).encode())
        drawn = {shortened(name.replace("/", "_")): figure for name, figure in self.figures()}
        for name in {*CONDITIONAL} - {*drawn}:
            for form in FORMATS:
                (figures / f"{name}.{form}").unlink(missing_ok=True)
        for name, figure in drawn.items():
            for form in formats:
                write_atomically(figures / f"{name}.{form}", plots.file(figure, form))
            yield name, figure
        if len(self.runs) == 1 and (snapshots := Snapshots.of(self.runs[0].path)):
            sample_plots.film(snapshots, figures / "training.gif")

    def figures(self) -> Iterator[tuple[str, plots.Figure]]:
        """The figures for which there are data: the metric by the swept keys, alone and with the
        metrics `beside`, the metric by step, and samples.
        """
        if len(self.means):
            yield from sweep_figures.of_means(self.means, self.keys, self.metric, self.units)
            if self.beside:
                yield from sweep_figures.of_several(
                    self.rows, self.keys, [self.metric, *self.beside], self.units
                )
            if self.against is not None and self.keys:
                name, across = self.against
                yield from sweep_figures.of_tradeoff(
                    self.means, across, self.keys, self.metric, name, self.units
                )
            levels = (
                {self.baseline: statistics.fmean(self.means[self.baseline])}
                if self.baseline
                else {}
            )
            yield from sweep_figures.of_courses(
                self.rows, self.keys, [self.metric, *self.beside], levels, self.units
            )
        yield from sweep_figures.of_samples(self.rows, self.keys)


def markdown(
    means: pd.DataFrame, keys: Sequence[str], beside: Sequence[str] = (), *, bits: bool
) -> str:
    """A Markdown table: the swept keys, the kind if kinds differ, the truth if there is one, the
    metrics `beside`, mean ± sd over runs, optionally the same in bits, and the number of runs.

    A setting with a single run shows the run's standard error instead of the sd, if it has one.
    """
    kinds = ["kind"] if len({*means["kind"]}) > 1 else []
    truth = ["truth"] if len(means["truth"].dropna()) else []
    columns = [*keys, *kinds, *truth, *beside, "mean ± sd", *(["bits"] if bits else []), "runs"]
    lines = [_line(columns), "|" + " --- |" * len(columns)]
    for row in means.to_dict("records"):
        cells = {key: tables.shown(row[key]) for key in [*keys, *kinds]} | {
            name: _decimals(row[name]) for name in beside
        }
        cells["truth"] = "" if pd.isna(row["truth"]) else f"{row['truth']:.3f}"
        cells |= {"mean ± sd": _mean(row), "bits": f"{row['mean'] / math.log(2):.3f}"}
        cells["runs"] = str(row["runs"])
        lines.append(_line([cells[column] for column in columns]))
    return "\n".join(lines) + "\n"


def failures(unfinished: Sequence[Run]) -> str:
    """A Markdown table of the runs that are not completed, grouped by error; empty if all are
    completed.
    """
    together: dict[tuple[str, str], list[Run]] = {}
    for run in unfinished:
        together.setdefault(
            (run.status, run.error.partition("\n")[0].replace("|", "\\|")), []
        ).append(run)
    lines = [
        _line([status, str(len(runs)), error, str(runs[0].path)])
        for (status, error), runs in together.items()
    ]
    return (
        "\n".join(
            ["| status | runs | error | first run |", "| --- | --- | --- | --- |", *lines, ""]
        )
        if lines
        else ""
    )


def repeats(aside: Sequence[Aside]) -> str:
    """A Markdown table of the damaged files that were set aside; empty if there are none."""
    lines = [
        _line([str(each.folder), each.reason.partition("; ")[0].replace("|", "\\|")])
        for each in aside
    ]
    head = ["| repeated, with its damaged files in | error |", "| --- | --- |"]
    return "\n".join([*head, *lines, ""]) if lines else ""


def _mean(row: Mapping[Any, Any]) -> str:
    """The mean and its sd, or a single run's own error, with three decimals or two digits of the
    error.
    """
    spread, words = (row["sd"], "") if row["runs"] > 1 else (row["stderr"], " (standard error)")
    if pd.isna(spread):
        return f"{row['mean']:.3f}"
    digits = min(6, max(3, 1 - math.floor(math.log10(spread)))) if spread > 0 else 3
    return f"{row['mean']:.{digits}f} ± {spread:.{digits}f}{words}"


def _decimals(value: float) -> str:
    """A number with three decimals, or in scientific notation if these would be zeros; empty if it
    is missing.
    """
    if pd.isna(value):
        return ""
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
