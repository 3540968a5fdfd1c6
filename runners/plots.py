"""Every figure, drawn from records alone and in one style."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

TRUTH = {"color": "black", "linewidth": 1.2}
SPAN = 200
"""Values that a moving average of single batches is taken over."""
CAP = {"color": "tab:red", "linestyle": "--", "linewidth": 1.0}


def estimate_by_step(history: Iterable[Mapping[str, Any]], truth: float | None, cap: float | None) -> Figure:
    """Training and held-out estimate against step, the range of the replicates, the truth, the cap of a training batch."""
    lines = list(history)
    figure, axes = _axes("step", "I(X;Y) in nats")
    for split, alpha in (("train", 0.4), ("validation", 1.0)):
        chosen = [line for line in lines if line["split"] == split]
        axes.plot(
            [line["step"] for line in chosen], [line["mi"] for line in chosen], color="tab:blue", alpha=alpha, label=split
        )
    spread = [line for line in lines if "mi_replicates" in line and line["split"] == "validation"]
    if spread:
        low, high = ([extreme(line["mi_replicates"]) for line in spread] for extreme in (min, max))
        axes.fill_between([line["step"] for line in spread], low, high, alpha=0.2, label="range of replicates")
    for line in lines:
        if line["split"] == "test":
            axes.errorbar(line["step"], line["mi"], line["mi_stderr"], color="tab:orange", marker="o", capsize=3, label="test")
    _level(axes, truth, "truth", TRUTH)
    _level(axes, cap, "cap of a training batch", CAP)
    axes.legend()
    return figure


def staircase(values: "Tensor", truth: Sequence[float], cap: float | None) -> Figure:
    """What each batch read (S,), its moving average over the steps before, the truth and the cap, as in Poole et al. 2019."""
    figure, axes = _axes("step", "I(X;Y) in nats")
    sums = values.double().cumsum(0)
    means = (sums[SPAN:] - sums[:-SPAN]) / SPAN
    axes.plot(values.tolist(), color="tab:blue", alpha=0.25, linewidth=0.5, label="a batch")
    axes.plot(range(SPAN, len(values)), means.tolist(), color="tab:blue", label=f"mean of {SPAN} batches")
    axes.plot(truth, label="truth", **TRUTH)
    _level(axes, cap, "cap of a batch", CAP)
    axes.set_ylim(min(0, *truth) - 1, max(truth) * 1.5)
    axes.legend()
    return figure


def against(key: str, lines: Mapping[str, "pd.DataFrame"], metric: str) -> Figure:
    """Mean and standard error of the metric against `key`, a line a label with its truth (columns key, mean, stderr, truth)."""
    figure, axes = _axes(key, f"{metric} in nats")
    for label, points in lines.items():
        axes.errorbar(points[key], points["mean"], points["stderr"], marker="o", markersize=3, capsize=2, label=label)
    known = [points for points in lines.values() if len(points["truth"].dropna())]
    for index, points in enumerate(known):
        axes.plot(points[key], points["truth"], label=None if index else "truth", zorder=0, **TRUTH)
    axes.legend()
    return figure


def side_by_side(means: "pd.DataFrame", metric: str) -> Figure:
    """Mean and standard error of every label, a colour a kind of bound, and the truth.

    The columns are label, kind, mean, stderr and truth.
    """
    figure, axes = _axes("", f"{metric} in nats")
    for kind, group in means.groupby("kind"):
        axes.errorbar(group["label"], group["mean"], group["stderr"], linestyle="", marker="o", capsize=3, label=str(kind))
    for truth in means["truth"].dropna().unique():
        _level(axes, truth, "truth", TRUTH)
    axes.tick_params(axis="x", rotation=30)
    axes.legend()
    return figure


def consistency(metrics: Mapping[str, Any], expected: Mapping[str, int]) -> Figure:
    """Estimates of derived data sets with their errors, beside the multiples of this one's that they should be."""
    figure, axes = _axes("derived data set", "I(X;Y) in nats")
    names = [f"mi_{name}" for name in expected]
    errors = [metrics[f"{name}_stderr"] for name in names]
    axes.errorbar([*expected], [metrics[name] for name in names], errors, linestyle="", marker="o", capsize=3, label="estimate")
    wanted = [multiple * metrics["mi"] for multiple in expected.values()]
    axes.plot([*expected], wanted, linestyle="", marker="_", markersize=30, color="black", label="0, 1, 2 times the estimate")
    axes.legend()
    return figure


def permutation(permuted: "np.ndarray", observed: float) -> Figure:
    """The statistic of permuted pairs as a histogram, and where the pairs themselves have it."""
    figure, axes = _axes("statistic", "permutations")
    axes.hist(permuted, bins=30, color="tab:blue", alpha=0.6, label="permuted")
    axes.axvline(observed, color="tab:orange", label="observed")
    axes.legend()
    return figure


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def _level(axes: Axes, value: float | None, label: str, style: Mapping[str, Any]) -> None:
    if value is not None:
        axes.axhline(value, label=label, **style)
