"""Figures of a generator: its samples next to the data, the modes that it covers, and an animation
of its training.

N samples.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infobound.runners.runs import plots
from infobound.runners.runs.metrics import copies_of
from infobound.runners.runs.snapshots import Snapshots
from infobound.runners.runs.written import Written

if TYPE_CHECKING:
    from torch import Tensor

QUANTITIES = {
    "modes": "modes covered",
    "high_quality": "high quality",
    "kl": "KL in nats",
    "js": "JS in nats",
}
"""Quantities of coverage in the lines of a run, with their axis labels."""
COLOURS = colormaps["tab10"]
SIDE = 8
"""Number of images in a row and in a column of a mosaic."""
MARGIN = 0.15
"""Margin around the data in a plane, as a share of their range."""
LATTICE = 80
"""Number of points in each direction at which a contour is evaluated."""
FRAMES, FRAMES_PER_SECOND = 60, 8
"""Maximum number of frames of an animation, which skips steps in between; and its speed."""


class Drawn(NamedTuple):
    """Samples, and the mode of each, which determines its colour."""

    x: "Tensor"
    """(N, 2) points, or (N, channels, height, width) images from -1 to 1."""
    mode: "Tensor"
    """(N,) int64"""


class Surface(NamedTuple):
    """A discriminator's scores of a lattice of points."""

    points: "Tensor"
    """(LATTICE^2, 2) points of lattice()."""
    values: "Tensor"
    """(LATTICE^2,)"""


class Row(NamedTuple):
    """The samples of the copies of one setting."""

    copies: Sequence[np.ndarray]
    """Each (N, *shape)."""
    data: np.ndarray
    """(N, *shape) the data that they were to learn."""


def lattice(data: "Tensor") -> "Tensor":
    """Points (LATTICE^2, 2) over the plane in figures of data (N, 2), on its device."""
    import torch  # takes a second, and reports do not need it

    axes = [
        torch.linspace(low, high, LATTICE, device=data.device)
        for low, high in _range(data.cpu().numpy(force=True)).tolist()
    ]
    return torch.cartesian_prod(*axes)


def beside(found: Drawn, truth: Drawn, surface: Surface | None = None) -> Figure:
    """Draw samples next to data, points over the contour of a discriminator if there is one."""
    figure, panels = _panels(["generated", "data"])
    for axes, drawn in zip(panels, (found, truth), strict=True):
        if drawn.x.ndim > 2:
            _mosaic(axes, drawn.x.numpy(force=True))
        else:
            colours = COLOURS(drawn.mode.numpy(force=True) % COLOURS.N)
            axes.scatter(*drawn.x.numpy(force=True).T, s=2, c=colours, linewidths=0, zorder=2)
            _plane(axes, truth.x.numpy(force=True))
    if surface is not None:
        _contour(figure, panels[0], surface)
    return figure


def coverage_by_step(history: Iterable[Written], modes: int) -> Figure:
    """Draw the covered modes, the share of high quality and both divergences of held-out samples by
    step, and the range of the copies.
    """
    lines = [line for line in history if line["split"] == "validation" and "modes" in line]
    figure = Figure(figsize=(6.4, 7.0), dpi=120, layout="constrained")
    panels: Sequence[Axes] = figure.subplots(len(QUANTITIES), sharex=True)
    for axes, (name, label) in zip(panels, QUANTITIES.items(), strict=True):
        steps, copies = (
            [line["step"] for line in lines],
            [copies_of(line, name) for line in lines],
        )
        axes.plot(steps, [line[name] for line in lines], color="tab:blue")
        axes.fill_between(steps, [*map(min, copies)], [*map(max, copies)], alpha=0.2)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    panels[0].axhline(modes, **plots.TRUTH)
    panels[-1].set_xlabel("step")
    return figure


def gallery(rows: Mapping[str, Row]) -> Figure:
    """Draw the samples of every copy, one row for each setting."""
    columns = max(len(row.copies) for row in rows.values())
    figure = Figure(figsize=(1 + 2 * columns, 0.5 + 2 * len(rows)), dpi=100, layout="constrained")
    panels: np.ndarray = figure.subplots(len(rows), columns, squeeze=False)
    for (name, row), line in zip(rows.items(), panels, strict=True):
        for axes, x in zip(line, row.copies, strict=False):
            _show(axes, x, row.data)
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_title(name, loc="left", fontsize="small")
        for axes in line[len(row.copies) :]:
            axes.set_axis_off()
    return figure


def film(snapshots: Snapshots, path: Path) -> None:
    """Write the samples of the first copy, step by step, as an animated GIF."""
    figure = Figure(figsize=(4, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    writer = PillowWriter(fps=FRAMES_PER_SECOND)
    with writer.saving(figure, str(path), dpi=100):
        for step, x in snapshots.through(_thinned(sorted(snapshots.files), FRAMES)):
            axes.clear()
            axes.set_title(f"step {step}", family="monospace")
            _show(axes, x[0], snapshots.data)
            writer.grab_frame()


def _panels(titles: Sequence[str]) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(4.2 * len(titles), 4.2), dpi=120, layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, len(titles))
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title)
    return figure, panels


def _show(axes: Axes, x: np.ndarray, data: np.ndarray) -> None:
    """Draw samples in front of the data in grey, or as a mosaic."""
    if x.ndim > 2:
        _mosaic(axes, x)
        return
    for points, colour in ((data, "0.75"), (x, "tab:blue")):
        axes.scatter(*points.T, s=2, color=colour, linewidths=0)
    _plane(axes, data)


def _mosaic(axes: Axes, images: np.ndarray) -> None:
    """The first SIDE^2 images (N, channels, height, width) from -1 to 1; a missing colour is
    black.
    """
    side = min(SIDE, int(len(images) ** 0.5))
    channels, height, width = images.shape[1:]
    tiles = (
        images[: side * side].reshape(side, side, channels, height, width).transpose(0, 3, 1, 4, 2)
    )
    picture = np.clip((tiles.reshape(side * height, side * width, channels) + 1) / 2, 0, 1)
    if channels == 2:
        picture = np.pad(picture, ((0, 0), (0, 0), (0, 1)))
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()


def _plane(axes: Axes, data: np.ndarray) -> None:
    (left, right), (bottom, top) = _range(data)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal")


def _range(data: np.ndarray) -> np.ndarray:
    """The limits (2, 2) of each coordinate."""
    low, high = data.min(axis=0), data.max(axis=0)
    return np.stack([low - MARGIN * (high - low), high + MARGIN * (high - low)], axis=1)


def _contour(figure: Figure, axes: Axes, surface: Surface) -> None:
    x, y = (each.view(LATTICE, LATTICE).numpy(force=True) for each in surface.points.T.contiguous())
    values = surface.values.view(LATTICE, LATTICE).numpy(force=True)
    drawn = axes.contourf(x, y, values, levels=20, cmap="RdBu_r", alpha=0.5)
    figure.colorbar(drawn, ax=axes, label="discriminator's score", shrink=0.8)


def _thinned(steps: list[int], most: int) -> list[int]:
    """At most this many steps, evenly spaced, including the first and the last."""
    places = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    return [steps[place] for place in places]
