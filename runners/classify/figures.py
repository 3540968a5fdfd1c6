"""Figures of the information that noise layers let through: their rates by step, and its places in
an image.

N images, L noise layers.
"""

from collections.abc import Iterable, Sequence
from itertools import count, takewhile

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from infobound.runners.runs import plots
from infobound.runners.runs.written import Written


def rates_by_step(history: Iterable[Written]) -> Figure | None:
    """Draw the rate of each layer, on validation images by step and on test images; None for a
    single layer.
    """
    lines = [line for line in history if "rate_1" in line]
    if not lines:
        return None
    figure, axes = plots.blank("step", "rate in nats")
    names = [*takewhile(lines[-1].__contains__, (f"rate_{layer}" for layer in count(1)))]
    for index, name in enumerate(names):
        for split, style in ("validation", "-"), ("test", "o"):
            read = [line for line in lines if line["split"] == split]
            axes.plot(
                [line["step"] for line in read],
                [line[name] for line in read],
                style,
                color=f"C{index}",
                label=f"layer {index + 1}, {split}" if read else None,
            )
    if all(line[name] > 0 for line in lines for name in names):
        axes.set_yscale("log")
    axes.legend(fontsize="small")
    return figure


def maps(images: Tensor, *layers: Tensor, boxes: Tensor | None) -> Figure:
    """Draw images (N, channels, height, width), each with its maps (N, height, width) of every
    layer and their totals in nats.

    Darker means more information; each map has its own scale. Boxes (N, 4) are outlined in red.
    """
    height, width = len(images), 1 + len(layers)
    figure = Figure(figsize=(2.1 * width, 2.2 * height), dpi=100, layout="constrained")
    panels = figure.subplots(height, width, squeeze=False)
    for row, line in enumerate(panels):
        _image(line[0], images[row])
        for layer, axes in zip(layers, line[1:], strict=True):
            _map(axes, layer[row], images.shape[-2:])
        for axes in line:
            axes.set_axis_off()
            if boxes is not None:
                top, left, tall, wide = boxes[row].tolist()
                corner = left - 0.5, top - 0.5
                axes.add_patch(Rectangle(corner, wide, tall, fill=False, edgecolor="tab:red"))
    for number, axes in enumerate(panels[0, 1:], 1):
        axes.set_title(f"layer {number}\n{axes.get_title()}", fontsize="small")
    return figure


def _image(axes: Axes, image: Tensor) -> None:
    """Draw an image, in grey unless it has three channels, from its smallest to its largest
    value.
    """
    least, most = image.aminmax()
    shown = (image - least) / (most - least).clamp_min(1e-12)
    axes.imshow(
        (shown if len(shown) == 3 else shown.mean(0, keepdim=True)).permute(1, 2, 0).numpy(),
        cmap="gray",
    )


def _map(axes: Axes, values: Tensor, size: Sequence[int]) -> None:
    """Draw a map over its pixels, with each place at the centre of its receptive field."""
    strides = [pixels / cells for pixels, cells in zip(size, values.shape, strict=True)]
    bottom, right = (side - stride / 2 for side, stride in zip(size, strides, strict=True))
    axes.imshow(
        values.numpy(),
        cmap="Blues",
        vmin=0,
        extent=(-strides[1] / 2, right, bottom, -strides[0] / 2),
    )
    axes.set_xlim(-0.5, size[1] - 0.5)
    axes.set_ylim(size[0] - 0.5, -0.5)
    axes.set_title(f"{values.sum():.3g} nats", fontsize="small")
