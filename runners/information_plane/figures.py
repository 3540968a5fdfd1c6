"""The information plane, drawn from the lines of a run."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count, takewhile
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure

from infobound.runners.runs import plots

Lines = list[Mapping[str, Any]]


def figures(history: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Figure]]:
    """The plane by the estimator, and by the densities where they were read, with their names."""
    lines = [line for line in history if line["split"] == "validation"]
    for name, suffix in (("plane", ""), ("plane_reference", "_reference")):
        if lines and f"mi_input_1{suffix}" in lines[0]:
            yield name, plane(lines, suffix)


def plane(lines: Lines, suffix: str) -> Figure:
    """I(Y; T) against I(X; T), a point a layer, those of an epoch joined and in its colour, as in
    Shwartz-Ziv and Tishby 2017.

    Small points are the copies of the last epoch.
    """
    figure, axes = plots.blank("I(X;T) in nats", "I(Y;T) in nats")
    layers = [*takewhile(lambda layer: f"mi_input_{layer}{suffix}" in lines[0], count(1))]
    colours = ScalarMappable(
        FuncNorm((np.log1p, np.expm1), 0, max(1, lines[-1]["epoch"])), colormaps["plasma"]
    )
    for line in lines:
        x, y = (
            [line[f"mi_{name}_{layer}{suffix}"] for layer in layers] for name in ("input", "label")
        )
        axes.plot(
            x, y, color=colours.to_rgba(line["epoch"]), marker="o", markersize=4, linewidth=0.8
        )
    for layer in layers:
        x, y = (lines[-1][f"mi_{name}_{layer}{suffix}"] for name in ("input", "label"))
        axes.annotate(
            f"{layer}",
            (x, y),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize="small",
        )
        copies = (lines[-1][f"mi_{name}_{layer}{suffix}_replicates"] for name in ("input", "label"))
        axes.scatter(*copies, s=4, color="0.5", zorder=0)
    epochs = [line["epoch"] for line in lines]
    bar = figure.colorbar(colours, ax=axes, label="epoch")
    bar.set_ticks(epochs[:: -(-len(epochs) // plots.TICKS)])
    bar.ax.minorticks_off()
    return figure
