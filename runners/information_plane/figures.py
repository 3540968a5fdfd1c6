"""The information plane, drawn from the lines of a run."""

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure

from infobound.runners.information_plane.reading import REFERENCE, information, layers_of
from infobound.runners.runs import plots
from infobound.runners.runs.metrics import copies_of
from infobound.runners.runs.written import Written

Lines = list[Written]


def figures(history: Iterable[Written]) -> Iterator[tuple[str, Figure]]:
    """The plane by the estimator, and by the densities if they were read, with their names."""
    lines = [line for line in history if line["split"] == "validation"]
    for name, by in (("plane", ""), ("plane_reference", REFERENCE)):
        if lines and layers_of(lines[0], by):
            yield name, plane(lines, by)


def plane(lines: Lines, by: str) -> Figure:
    """Draw I(Y; T) against I(X; T), one point for each layer, with the points of an epoch joined
    and in its colour, as in Shwartz-Ziv and Tishby 2017.

    Small points are the copies at the last epoch.
    """
    figure, axes = plots.blank("I(X;T) in nats", "I(Y;T) in nats")
    layers, last = layers_of(lines[0], by), lines[-1]
    colours = ScalarMappable(
        FuncNorm((np.log1p, np.expm1), 0, max(1, last["epoch"])), colormaps["plasma"]
    )
    for line in lines:
        x = [line[information("input", layer, by)] for layer in layers]
        y = [line[information("label", layer, by)] for layer in layers]
        axes.plot(
            x, y, color=colours.to_rgba(line["epoch"]), marker="o", markersize=4, linewidth=0.8
        )
    for layer in layers:
        names = information("input", layer, by), information("label", layer, by)
        x, y = (last[name] for name in names)
        axes.annotate(
            f"{layer}",
            (x, y),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize="small",
        )
        axes.scatter(*(copies_of(last, name) for name in names), s=4, color="0.5", zorder=0)
    epochs = [line["epoch"] for line in lines]
    bar = figure.colorbar(colours, ax=axes, label="epoch")
    bar.set_ticks(epochs[:: -(-len(epochs) // plots.TICKS)])
    bar.ax.minorticks_off()
    return figure
