"""Figures of classifiers whose scores should not depend on a pivot.

N rows, T thresholds.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from infobound.datasets.labelled.rows import Described, LabelledRows, Pivot
from infobound.runners.invariant import ranking, sculpting
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.significance import Curve
from infobound.runners.runs import plots

SLICES = 5
"""Number of slices of equal population of a numeric pivot, each with its own line."""
BINS = 30
"""Number of bins of a histogram of scores."""
GROUPS, LABELLED = 10, 30
"""Maximum numbers of categories that have a line, the most frequent ones, and that have a name."""
SHOWN = 0.001
"""Share of the scores outside each end of their histogram."""
LATTICE, POINTS = 120, 1000
"""Number of grid points in each direction for a decision, and of rows shown on it."""
Named = Iterator[tuple[str, Figure]]
Decide = Callable[[Tensor], Tensor]
"""Maps features (N, D) to logits (N, C - 1)."""


def every(
    described: Described,
    found: Predictions,
    curve: Curve | None,
    background: int,
    efficiency: float,
    decide: Decide,
) -> Named:
    """All figures of predictions for test rows, with their names; without signal or background,
    `curve` is None, and those of background are left out.
    """
    yield "roc", roc_curves(described.classes, found)
    if curve is not None:
        yield "significance", significance_curves(curve)
    for index, pivot in enumerate(described.pivots):
        suffix = f"_{pivot.name}" if len(described.pivots) > 1 else ""
        yield f"scores{suffix}", scores(found, index, pivot, background)
        if curve is not None:
            yield f"sculpting{suffix}", passing(found, index, pivot, background, efficiency)
    if len(described.features) == 2:
        yield "decision", decision(described, found.rows, decide, background)


def roc_curves(classes: Sequence[str], found: Predictions) -> Figure:
    """Draw ROC curves, one for each class with rows that count against the others; only one for two
    classes.
    """
    figure, axes = plots.blank("false positive rate", "true positive rate")
    for label in range(1, 2) if len(classes) == 2 else range(len(classes)):
        positive = found.labels == label
        if not (found.weights[positive].any() and found.weights[~positive].any()):
            continue
        false, true = ranking.roc(found.log_odds(label), positive, found.weights)
        value = ranking.area(found.log_odds(label), positive, found.weights).value
        axes.plot(false, true, label=f"{classes[label]}, AUC {value:.3f}")
    axes.plot([0, 1], [0, 1], zorder=0, **plots.CAP)
    axes.legend(loc="lower right")
    return figure


def significance_curves(curve: Curve) -> Figure:
    """Draw the approximate median significance against the threshold, with an uncertain and with a
    known background.
    """
    figure, axes = plots.blank("threshold on the log-odds", "approximate median significance")
    axes.plot(
        curve.thresholds, curve.ams, label="background uncertain by its dependence on the pivot"
    )
    axes.plot(curve.thresholds, curve.certain, linestyle="--", label="background known exactly")
    axes.legend()
    return figure


def scores(found: Predictions, index: int, pivot: Pivot, background: int) -> Figure:
    """Draw densities of the log-odds against the background, one line for each category or slice of
    the pivot; the lines coincide if score and pivot are independent.
    """
    score = -found.log_odds(background)
    figure, axes = plots.blank("log-odds", "density")
    low, high = (float(score.quantile(share)) for share in (SHOWN, 1 - SHOWN))
    slices = _slices(found.pivots[:, index], pivot)
    for place, (name, which) in enumerate(slices):
        colour = colormaps["viridis"](0.9 * place / max(1, len(slices) - 1))
        ends = np.linspace(low, max(high, low + 1e-6), BINS + 1)
        weights = found.weights[which].numpy()
        counts, _ = np.histogram(score[which].numpy(), ends, weights=weights)
        if counts.any():
            density = counts / counts.sum() / np.diff(ends)
            axes.stairs(density, ends, color=colour, label=name)
    axes.legend(title=pivot.name, fontsize="small")
    return figure


def passing(
    found: Predictions, index: int, pivot: Pivot, background: int, efficiency: float
) -> Figure:
    """Draw the pivot's distribution for background that passes a cut and for background that fails;
    they are equal without sculpting.
    """
    alone = found.of_class(background)
    score = -alone.log_odds(background)
    passes = score >= sculpting.threshold(score, efficiency, alone.weights)
    values, count = alone.pivots[:, index], len(pivot.categories)
    ends = sculpting.edges(values, alone.weights, count)
    cells = sculpting.histogram_cells(values, alone.weights, count)
    figure, axes = plots.blank(pivot.name, "share of the background")
    for name, which in ((f"passes, {passes.double().mean():.1%}", passes), ("fails", ~passes)):
        shares = torch.bincount(cells[which], alone.weights[which], minlength=len(ends) - 1)
        axes.stairs((shares / shares.sum().clamp(min=1e-12)).numpy(), ends.numpy(), label=name)
    if 0 < count <= LABELLED:
        axes.set_xticks(range(count), labels=pivot.categories)
    axes.legend()
    return figure


def decision(described: Described, rows: LabelledRows, decide: Decide, background: int) -> Figure:
    """Draw the probability of signal over the plane of two features, its contour at 1/2, and some
    rows.
    """
    figure, axes = plots.blank(*described.features)
    low, high = (torch.quantile(rows.x, share, dim=0).tolist() for share in (SHOWN, 1 - SHOWN))
    grids = [torch.linspace(*ends, LATTICE) for ends in zip(low, high, strict=True)]
    points = torch.cartesian_prod(*grids)
    nothing = torch.zeros(len(points), 1)
    lattice = LabelledRows(points, nothing[:, 0].long(), nothing)
    surface = (-Predictions(lattice, decide(points)).log_odds(background)).sigmoid()
    values = surface.reshape(LATTICE, LATTICE).T.numpy()
    drawn = axes.contourf(*grids, values, levels=np.linspace(0, 1, 21), cmap="RdBu_r", alpha=0.7)
    axes.contour(*grids, values, levels=[0.5], colors="black", linewidths=1)
    figure.colorbar(drawn, ax=axes, label="probability that it is not background")
    _some(axes, rows.x[:POINTS], rows.labels[:POINTS])
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    return figure


def _some(axes: Axes, points: Tensor, labels: Tensor) -> None:
    for label in labels.unique().tolist():
        axes.scatter(
            *points[labels == label].T.numpy(),
            s=8,
            marker="ox+^vs"[label % 6],
            linewidths=0.5,
            color="0.2",
            alpha=0.5,
        )


def _slices(values: Tensor, pivot: Pivot) -> list[tuple[str, Tensor]]:
    """Names and masks (N,) of the most frequent categories of a pivot, or of slices of equal
    population.
    """
    if pivot.categories:
        counts = torch.bincount(values.long(), minlength=len(pivot.categories))
        most = counts.argsort(descending=True, stable=True)[:GROUPS].sort().values
        return [(pivot.categories[int(code)], values == code) for code in most]
    ends = values.quantile(torch.linspace(0, 1, SLICES + 1, dtype=torch.float64))
    cells = torch.searchsorted(ends[1:-1].contiguous(), values.contiguous(), right=True)
    return [(f"{ends[cell]:.3g} to {ends[cell + 1]:.3g}", cells == cell) for cell in range(SLICES)]
