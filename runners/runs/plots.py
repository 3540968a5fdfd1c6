"""Figures in one style, drawn only from records."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import pairwise
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.transforms import Bbox

from infobound.runners.runs.metrics import copies_of, stderr_key
from infobound.runners.runs.written import Written

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

INFORMATION = "I(X;Y) in nats"
"""The label of every axis of mutual information."""
PAPER: dict[Any, Any] = {"pdf.fonttype": 42, "svg.fonttype": "none"}
"""Fonts of vector figures stay text: embedded as TrueType in PDF, named in SVG."""
WIDTH, HEIGHT = 80, 44
"""Maximum numbers of characters in a line of an axis label, which is then wrapped."""
TRUTH = {"color": "black", "linewidth": 1.2}
SPAN = 200
"""Number of values in a moving average of single batches."""
CAP = {"color": "tab:red", "linestyle": "--", "linewidth": 1.0}
TICKS = 12
"""Maximum number of ticks on a numeric axis."""
NAMES = 40
"""Maximum number of rows or columns of a heat map with room for their names."""
WRITTEN = 120
"""Maximum number of cells of a heat map with room for their values."""


class Lines(NamedTuple):
    """The lines of a figure: settings with their points (columns mean, stderr, truth, and the
    horizontal coordinate).
    """

    points: Mapping[str, "pd.DataFrame"]
    title: str
    """The keys whose values are the settings."""
    ordered: bool
    """Whether the settings are numbers in order, so that their colours should be."""


class Shown(Figure):
    """A figure that a notebook displays, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        return png(self)


def estimate_by_step(history: Iterable[Written], truth: float | None, cap: float | None) -> Figure:
    """Draw the training and held-out estimate by step, the range of the replicates, the best
    estimate if there is one, the truth, and the cap of a training batch.
    """
    lines = list(history)
    figure, axes = blank("step", INFORMATION)
    for split, alpha in (("train", 0.4), ("validation", 1.0)):
        chosen = [line for line in lines if line["split"] == split]
        axes.plot(
            [line["step"] for line in chosen],
            [line["mi"] for line in chosen],
            color="tab:blue",
            alpha=alpha,
            label=split,
        )
    held_out = [line for line in lines if line["split"] == "validation"]
    spread = [line for line in held_out if len(copies_of(line, "mi")) > 1]
    if spread:
        low, high = ([extreme(copies_of(line, "mi")) for line in spread] for extreme in (min, max))
        axes.fill_between(
            [line["step"] for line in spread], low, high, alpha=0.2, label="range of replicates"
        )
    for line in lines:
        if line["split"] == "test":
            best = {"mi": "best estimate", "mi_lower_bound": "test"}
            for name, said in (best if "mi_lower_bound" in line else {"mi": "test"}).items():
                axes.errorbar(
                    line["step"],
                    line[name],
                    line[stderr_key(name)],
                    color="tab:orange" if said == "test" else "tab:green",
                    marker="o",
                    capsize=3,
                    label=said,
                )
    _level(axes, truth, "truth", TRUTH)
    _level(axes, cap, "cap of a training batch", CAP)
    axes.legend()
    return figure


def curves(history: Iterable[Written], names: Mapping[str, str], label: str) -> Figure:
    """Draw quantities by step, those of validation as lines with the range of the copies, and those
    of the test as points; `names` are their labels.
    """
    figure, axes = blank("step", label)
    lines = list(history)
    for index, (name, said) in enumerate(names.items()):
        read = [line for line in lines if line["split"] == "validation" and name in line]
        copies, steps = [copies_of(line, name) for line in read], [line["step"] for line in read]
        axes.plot(steps, [line[name] for line in read], color=f"C{index}", label=said)
        axes.fill_between(
            steps, [*map(min, copies)], [*map(max, copies)], color=f"C{index}", alpha=0.2
        )
        for line in lines:
            if line["split"] == "test" and line.get(name) is not None:
                axes.errorbar(
                    line["step"],
                    line[name],
                    line.get(stderr_key(name)),
                    color=f"C{index}",
                    marker="o",
                    capsize=3,
                    label=f"{said}, test",
                )
    axes.legend()
    return figure


def staircase(values: "Tensor", truth: Sequence[float], cap: float | None) -> Figure:
    """Draw the reading of each batch (S,), its moving average over earlier steps, the truth and the
    cap, as in Poole et al. 2019.
    """
    figure, axes = blank("step", INFORMATION)
    sums = values.double().cumsum(0)
    means = (sums[SPAN:] - sums[:-SPAN]) / SPAN
    axes.plot(values.tolist(), color="tab:blue", alpha=0.25, linewidth=0.5, label="a batch")
    axes.plot(
        range(SPAN, len(values)), means.tolist(), color="tab:blue", label=f"mean of {SPAN} batches"
    )
    axes.plot(truth, label="truth", **TRUTH)
    _level(axes, cap, "cap of a batch", CAP)
    axes.set_ylim(min(0, *truth) - 1, max(truth) * 1.5)
    axes.legend()
    return figure


def against(key: str, lines: Lines, label: str, *, joined: bool) -> Figure:
    """Draw mean and standard error against `key`, and the truth; on a logarithmic axis if the
    values of the key are geometric.
    """
    figure, axes = blank(key, label)
    _errorbars(axes, key, lines, joined=joined)
    style = TRUTH if joined else {**TRUTH, "linestyle": "", "marker": "_"}
    known = [
        points.dropna(subset=["truth"])
        for points in lines.points.values()
        if len(points["truth"].dropna())
    ]
    for index, points in enumerate(known):
        axes.plot(points[key], points["truth"], label=None if index else "truth", zorder=0, **style)
    _scale(
        axes, sorted({value for points in lines.points.values() for value in points[key].dropna()})
    )
    _legend(figure, axes, lines.title)
    return figure


def one_over_the_other(key: str, panels: Mapping[str, Lines]) -> Figure:
    """Draw mean and standard error of several quantities against one `key`, each on its own axes
    with its label.
    """
    figure = Shown(figsize=(6.4, 0.8 + 2.2 * len(panels)), dpi=120, layout="constrained")
    axes: Sequence[Axes] = list(figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0])
    for each, (label, lines) in zip(axes, panels.items(), strict=True):
        _errorbars(each, key, lines, joined=True)
        each.set_ylabel(_wrapped(label, HEIGHT // 2))
        each.grid(alpha=0.3)
    axes[-1].set_xlabel(_wrapped(key, WIDTH))
    first = next(iter(panels.values()))
    _scale(
        axes[-1],
        sorted({value for points in first.points.values() for value in points[key].dropna()}),
    )
    _legend(figure, axes[0], first.title)
    return figure


def by_step(lines: Lines, label: str, levels: Mapping[str, float]) -> Figure:
    """Draw mean and standard deviation over runs by step, one line for each setting (columns step,
    mean, sd), and named levels.
    """
    figure, axes = blank("step", label)
    for index, (name, points) in enumerate(lines.points.items()):
        color = _color(lines, index)
        axes.plot(points["step"], points["mean"], color=color, marker="o", markersize=3, label=name)
        axes.fill_between(
            points["step"],
            points["mean"] - points["sd"],
            points["mean"] + points["sd"],
            color=color,
            alpha=0.2,
        )
    for name, value in levels.items():
        _level(axes, value, name, TRUTH)
    _legend(figure, axes, lines.title)
    return figure


def against_truth(lines: Lines, label: str) -> Figure:
    """Draw mean and standard error against the truth, and the line on which they are equal."""
    figure, axes = blank(f"true {INFORMATION}", label)
    _errorbars(
        axes,
        "truth",
        lines,
        joined=all(points["truth"].is_unique for points in lines.points.values()),
    )
    ends = [
        choice(points["truth"].agg(choice.__name__) for points in lines.points.values())
        for choice in (min, max)
    ]
    axes.plot(ends, ends, label="truth", zorder=0, **TRUTH)
    _legend(figure, axes, lines.title)
    return figure


def tradeoff(lines: Lines, across: str, label: str) -> Figure:
    """Draw one metric against another with both standard errors (columns across, across_stderr,
    mean, stderr), one line for each setting.
    """
    figure, axes = blank(across, label)
    for index, (name, points) in enumerate(lines.points.items()):
        errors = {
            "xerr": points["across_stderr"],
            "yerr": points["stderr"],
            "capsize": 2,
            "elinewidth": 0.8,
        }
        style: dict[str, Any] = {
            "linestyle": ("-", "--")[index // 10 % 2],
            "marker": "os"[index // 10 % 2],
            "markersize": 4,
        }
        axes.errorbar(
            points["across"],
            points["mean"],
            color=_color(lines, index),
            label=name,
            **errors,
            **style,
        )
    _legend(figure, axes, lines.title)
    return figure


def side_by_side(means: "pd.DataFrame", label: str, title: str) -> Figure:
    """Draw mean and standard error of every setting from top to bottom, coloured by kind of bound,
    and the truth.

    The columns are label, kind, mean, stderr and truth.
    """
    figure, axes = blank(label, title)
    figure.set_size_inches(
        5.2 + 0.07 * max(map(len, means["label"])), max(2.4, 1.2 + 0.26 * len(means))
    )
    placed = means.assign(place=range(len(means)))
    for kind, group in placed.groupby("kind", dropna=False):
        axes.errorbar(
            group["mean"],
            group["place"],
            xerr=group["stderr"],
            linestyle="",
            marker="o",
            capsize=3,
            label=str(kind),
        )
    if len(known := placed.dropna(subset=["truth"])):
        axes.plot(
            known["truth"],
            known["place"],
            "|",
            markersize=14,
            color="black",
            label="truth",
            zorder=0,
        )
    axes.set_yticks(placed["place"], labels=means["label"])
    axes.set_ylim(len(means) - 0.5, -0.5)
    _legend(figure, axes, "")
    return figure


def heat_map(cells: "pd.DataFrame", label: str) -> Figure:
    """Draw the value of each pair of settings (index by columns) as a colour, with numbers if there
    are few; missing cells are grey.
    """
    rows, columns = cells.shape
    figure, axes = blank(str(cells.columns.name), str(cells.index.name))
    across, down = (max(map(len, map(str, names))) for names in (cells.columns, cells.index))
    slanted = columns > 8 or across * columns > WIDTH
    figure.set_size_inches(
        min(max(5.0, 2.4 + 0.7 * columns), 14) + 0.08 * max(0, down - 10),
        min(max(3.2, 1.6 + 0.36 * rows), 12) + (0.06 * across if slanted else 0),
    )
    axes.grid(visible=False)
    axes.set_facecolor("0.9")
    figure.colorbar(
        axes.imshow(cells, aspect="auto", origin="lower"), label=_wrapped(label, HEIGHT)
    )
    for ticks, names in ((axes.set_xticks, cells.columns), (axes.set_yticks, cells.index)):
        ticks(range(len(names))[:: _every(names, NAMES)], labels=names[:: _every(names, NAMES)])
    if slanted:
        for name in axes.get_xticklabels():
            name.set(rotation=45, ha="right", rotation_mode="anchor")
    if rows * columns <= WRITTEN:
        _write(axes, cells.to_numpy())
    return figure


def consistency(metrics: Written, expected: Mapping[str, int]) -> Figure:
    """Draw the estimates of derived data sets with their errors, next to the expected multiples of
    the original estimate.
    """
    figure, axes = blank("derived data set", INFORMATION)
    names = [f"mi_{name}" for name in expected]
    errors = [metrics[stderr_key(name)] for name in names]
    axes.errorbar(
        [*expected],
        [metrics[name] for name in names],
        errors,
        linestyle="",
        marker="o",
        capsize=3,
        label="estimate",
    )
    wanted = [multiple * metrics["mi"] for multiple in expected.values()]
    axes.plot(
        [*expected],
        wanted,
        linestyle="",
        marker="_",
        markersize=30,
        color="black",
        label="0, 1, 2 times the estimate",
    )
    axes.legend()
    return figure


def permutation(permuted: np.ndarray, observed: float, statistic: str) -> Figure:
    """Draw a histogram of the statistic of permuted pairs, and that of the original pairs."""
    figure, axes = blank(statistic, "permutations")
    axes.hist(permuted, bins=30, color="tab:blue", alpha=0.6, label="permuted")
    axes.axvline(observed, color="tab:orange", label="observed")
    axes.legend()
    return figure


def png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG file."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # draws once; Figure.savefig would draw twice
    buffer = io.BytesIO()
    if (whole := _whole(figure)) != figure.bbox_inches:
        figure.savefig(buffer, format="png", dpi=figure.dpi, bbox_inches=whole)
        return buffer.getvalue()
    imsave(buffer, canvas.buffer_rgba(), format="png", dpi=figure.dpi, origin="upper")
    return buffer.getvalue()


def file(figure: Figure, form: str) -> bytes:
    """The figure as the bytes of a file of one of `formats.FORMATS`, such as pdf."""
    if form == "png":
        return png(figure)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).draw()
    with rc_context(PAPER):
        figure.savefig(buffer, format=form, bbox_inches=_whole(figure))
    return buffer.getvalue()


def _whole(figure: Figure) -> Bbox:
    """The canvas in inches, larger where labels would be cut off."""
    canvas, drawn = figure.bbox_inches, figure.get_tightbbox()
    over = drawn.x0 < 0 or drawn.y0 < 0 or drawn.x1 > canvas.x1 or drawn.y1 > canvas.y1
    return Bbox.union([canvas, drawn.padded(0.05)]) if over else canvas


def blank(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """An empty figure in the common style."""
    figure = Shown(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(_wrapped(x_label, WIDTH))
    axes.set_ylabel(_wrapped(y_label, HEIGHT))
    axes.grid(alpha=0.3)
    return figure, axes


def _wrapped(label: str, width: int) -> str:
    return "\n".join(fill(line, width) for line in label.split("\n"))


def _level(axes: Axes, value: float | None, label: str, style: Written) -> None:
    if value is not None:
        axes.axhline(value, label=label, **style)


def geometric(values: Sequence[float]) -> bool:
    """Whether three or more positive values, in order, have a constant ratio within a percent.

    This includes grids over a decade or more that were rounded to one digit: 1, 2, 5, 10.
    """
    if len(values) < 3 or values[0] <= 0:
        return False
    ratios = [after / before for before, after in pairwise(values)]
    rounded = [float(f"{value:.0e}") for value in np.geomspace(values[0], values[-1], len(values))]
    return max(ratios) < 1.01 * min(ratios) or (
        values[-1] >= 10 * values[0] and np.allclose(values, rounded, atol=0)
    )


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Set a logarithmic axis for a geometric grid, with ticks at its values; a zero is drawn one
    step before the others.
    """
    positive = [value for value in values if value > 0]
    if not geometric(positive) or values[0] < 0:
        return
    if values[0] == 0:
        step = math.log10(positive[-1] / positive[0]) / (len(positive) - 1)
        axes.set_xscale(
            "symlog", linthresh=positive[0], linscale=0.9 * step
        )  # Matplotlib makes the linear part longer by 1/0.9
    else:
        axes.set_xscale("log")
    ticks = [*values[: len(values) - len(positive)], *positive[:: _every(positive, TICKS)]]
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _every(values: Sized, most: int) -> int:
    return math.ceil(len(values) / most)


def _errorbars(axes: Axes, key: str, lines: Lines, *, joined: bool) -> None:
    for index, (label, points) in enumerate(lines.points.items()):
        style: dict[str, Any] = {
            "linestyle": ("-", "--")[index // 10 % 2] if joined else "",
            "marker": "os"[index // 10 % 2],
        }
        style |= {"color": _color(lines, index), "markersize": 4, "capsize": 2, "label": label}
        axes.errorbar(points[key], points["mean"], points["stderr"], **style)


def _color(lines: Lines, index: int) -> Any:
    count = len(lines.points)
    return (
        colormaps["viridis"](0.9 * index / max(1, count - 1)) if lines.ordered else f"C{index % 10}"
    )


def _write(axes: Axes, cells: np.ndarray) -> None:
    middle = (np.nanmin(cells) + np.nanmax(cells)) / 2
    for (row, column), value in np.ndenumerate(cells):
        if not np.isnan(value):
            axes.text(
                column,
                row,
                f"{value:.3g}",
                ha="center",
                va="center",
                color="black" if value > middle else "white",
            )


def _legend(figure: Figure, axes: Axes, title: str) -> None:
    """Add a legend next to the axes, where it covers no lines."""
    _, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(
            loc="outside right upper",
            title=title,
            fontsize="small",
            title_fontsize="small",
            frameon=False,
        )
        figure.set_figwidth(figure.get_figwidth() + 0.6 + 0.065 * max(map(len, [title, *labels])))
