"""Figures of many runs: a metric by the swept keys and by step, and the samples of each setting."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from textwrap import wrap

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from infobound.runners.reports import tables
from infobound.runners.reports.courses import course
from infobound.runners.reports.tables import shown
from infobound.runners.runs import plots, sample_plots
from infobound.runners.runs.snapshots import Snapshots

Figures = Iterator[tuple[str, plots.Figure]]
"""Figures with their names."""
Units = Mapping[str, str]
"""Units of metrics, by name."""

EQUAL = 1e-6
"""Nats by which a swept key may differ from the truth that it sets."""
LINES = 20
"""Maximum number of lines in a figure; it averages over the remaining keys."""
SETTINGS = 60
"""Maximum number of settings side by side in one figure."""
ROWS, COPIES = 12, 8
"""Maximum numbers of settings whose samples are shown, and of copies of each."""


def of_means(means: pd.DataFrame, keys: Sequence[str], metric: str, units: Units) -> Figures:
    """The metric against each numeric swept key, against the truth if there are several, and a heat
    map of each two keys.

    If only names were swept, such as estimators, they are drawn side by side.
    """
    label = _labelled(metric, units)
    numeric = [
        key
        for key in keys
        if is_numeric_dtype(means[key]) and _distinct(means.dropna(subset=[key]), key) > 1
    ]
    named = [key for key in keys if key not in numeric]
    means = means.assign(**{key: means[key].map(shown) for key in named})
    if named and not numeric and len(means) <= SETTINGS:
        labels = means[named].agg(", ".join, axis=1)
        yield "settings", plots.side_by_side(means.assign(label=labels), label, ", ".join(named))
    known = means.dropna(subset=["truth"])
    the_truth = [key for key in numeric if np.allclose(known[key], known["truth"], atol=EQUAL)]
    if _distinct(known, "truth") > 1:
        yield (
            "truth",
            plots.against_truth(
                _lines(known, "truth", _distinguished(known, named), metric), label
            ),
        )
    for key in numeric:
        if key in the_truth and len(known) == len(means):
            continue  # that figure would repeat truth
        yield (
            key,
            _against(
                means.dropna(subset=[key]),
                key,
                [other for other in keys if other != key],
                metric,
                label,
            ),
        )
    for first, second in combinations(keys, 2):
        row, column = (second, first) if first in numeric and second in named else (first, second)
        yield from _heat_map(means.dropna(subset=[row, column]), row, column, keys, label)


def of_several(
    rows: pd.DataFrame, keys: Sequence[str], metrics: Sequence[str], units: Units
) -> Figures:
    """Several metrics against each numeric swept key, in panels above each other, such as an error
    above a rate.
    """
    means = {metric: tables.aggregated(rows, keys, metric) for metric in metrics}
    first = means[metrics[0]]
    for key in (key for key in keys if is_numeric_dtype(first[key])):
        others = [other for other in keys if other != key]
        kept = _distinguished(first, others)
        over = [other for other in others if other not in kept]
        points = {
            metric: tables.averaged(each, [key, *kept], over).dropna(subset=[key])
            for metric, each in means.items()
        }
        if all(_distinct(each, key) > 1 for each in points.values()):
            panels = {
                _labelled(metric, units): _lines(each, key, kept, metric)
                for metric, each in points.items()
            }
            yield f"{key},{','.join(metrics)}", plots.one_over_the_other(key, panels)


def of_courses(
    rows: pd.DataFrame,
    keys: Sequence[str],
    names: Sequence[str],
    levels: Mapping[str, float],
    units: Units,
) -> Figures:
    """Each quantity that the runs have recorded by step, if there are few settings; the first one
    with named levels.
    """
    if tables.grouped(rows, keys).ngroups > LINES:
        return
    for index, name in enumerate(names):
        points = course(rows, keys, name)
        if len(points):
            lines = _lines(
                points.assign(**{key: points[key].map(shown) for key in keys}), "step", keys, name
            )
            label = f"{_labelled(name, units)}, mean ± sd"
            yield f"{name}_by_step", plots.by_step(lines, label, {} if index else levels)


def of_tradeoff(
    means: pd.DataFrame,
    across: pd.DataFrame,
    keys: Sequence[str],
    metric: str,
    against: str,
    units: Units,
) -> Figures:
    """The means of one metric against those of another for the same settings; a line connects
    settings that differ only in a number.

    A line follows the order of the numbers, such as strengths of a penalty; settings without a
    number are points.
    """
    if len(means) < 2:
        return
    numeric = [key for key in keys if is_numeric_dtype(means[key])]
    named = [key for key in keys if key not in numeric]
    other = pd.DataFrame(
        {**across[[*keys]], "across": across["mean"], "across_stderr": across["stderr"]}
    )
    points = means.merge(other, on=[*keys]).sort_values([*numeric])
    points = points.assign(**{key: points[key].map(shown) for key in named})
    lines = {
        ", ".join(setting) if named else metric: group
        for setting, group in tables.grouped(points, named)
    }
    if len(lines) <= LINES:
        drawn = plots.Lines(lines, ", ".join(named), False)
        labels = _labelled(against, units), _labelled(metric, units)
        yield "tradeoff", plots.tradeoff(drawn, *labels)


def of_samples(rows: pd.DataFrame, keys: Sequence[str]) -> Figures:
    """The last samples of the copies of every setting, if the runs have kept samples."""
    settings: dict[str, sample_plots.Row] = {}
    for values, group in tables.grouped(rows, keys):
        kept = [each for path in group["run"] if (each := Snapshots.of(Path(path)))]
        name = ", ".join(
            f"{key}={shown(value)}" for key, value in zip(keys, values if keys else (), strict=True)
        )
        if kept and len(settings) < ROWS:
            settings[name] = sample_plots.Row(
                [x for each in kept for x in each.last][:COPIES], kept[0].data
            )
    if settings:
        yield "samples", sample_plots.gallery(settings)


def _against(
    means: pd.DataFrame, key: str, others: Sequence[str], metric: str, label: str
) -> plots.Figure:
    """A line for each setting of the other keys, averaged over some of them if there would be too
    many lines.

    If no setting has all values of these keys, as in a random search, every setting is a point.
    """
    kept = _distinguished(means, others)
    over = [other for other in others if other not in kept]
    points = tables.averaged(means, [key, *kept], over)
    if _distinct(points, key) < 2:
        return plots.against(key, _lines(means, key, kept, metric), label, joined=False)
    return plots.against(
        key, _lines(points, key, kept, metric), _averaged(label, over), joined=True
    )


def _heat_map(
    means: pd.DataFrame, row: str, column: str, keys: Sequence[str], label: str
) -> Figures:
    """The mean of each pair of values over the other keys; nothing unless both keys have two or
    more values and most pairs were run.
    """
    over = [key for key in keys if key not in (row, column)]
    pairs = tables.averaged(means, [row, column], over)
    size = _distinct(means, row), _distinct(means, column)
    if min(size) > 1 and 2 * len(pairs) > math.prod(size):
        cells = pairs.pivot(index=row, columns=column, values="mean")
        upwards = cells if is_numeric_dtype(cells.index) else cells.iloc[::-1]
        yield (
            f"{row},{column}",
            plots.heat_map(upwards.rename(index=shown, columns=shown), _averaged(label, over)),
        )


def _lines(points: pd.DataFrame, key: str, kept: Sequence[str], metric: str) -> plots.Lines:
    groups = tables.grouped(points.sort_values(key), kept)
    lines = {
        ", ".join(shown(value) or "–" for value in setting) if kept else metric: group
        for setting, group in groups
    }
    return plots.Lines(lines, ", ".join(kept), len(kept) == 1 and is_numeric_dtype(points[kept[0]]))


def _distinguished(means: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """As many keys, those with the fewest values first, as give no more settings than a figure can
    have lines.
    """
    kept: list[str] = []
    for key in sorted(keys, key=lambda key: _distinct(means, key)):
        if len(means[[*kept, key]].drop_duplicates()) <= LINES:
            kept.append(key)
    return [key for key in keys if key in kept]


def _distinct(means: pd.DataFrame, key: str) -> int:
    return len(means[key].unique())


def _averaged(label: str, over: Sequence[str]) -> str:
    return "\n".join([f"{label},", *wrap(f"mean over {', '.join(over)}", 40)]) if over else label


def _labelled(metric: str, units: Units) -> str:
    unit = units.get(metric)
    if metric == "mi" and unit == "nats":
        return plots.INFORMATION
    return f"{metric} in {unit}" if unit in ("nats", "bits") else metric
