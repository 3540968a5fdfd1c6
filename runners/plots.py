"""Every figure, drawn from records alone and in one style."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

TRUTH = {"color": "black", "linewidth": 1.2}
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
