"""Figures of encoders during training, drawn from the lines of a run."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from matplotlib.figure import Figure

from infobound.runners.runs import plots
from infobound.runners.runs.metrics import copies_of
from infobound.runners.runs.written import Written

Lines = list[Written]


def of_encoders(history: Iterable[Written], pixels: float) -> Iterator[tuple[str, Figure]]:
    """Every figure whose quantities are in the lines, with its name."""
    every = [*history]
    lines = [line for line in every if line["split"] == "validation"]
    if probed := [line for line in every if "accuracy" in line]:
        yield "accuracy", accuracy(probed, pixels)
    if conditions := [line for line in lines if "log_condition" in line]:
        yield "condition", condition(conditions)
    if estimated := [line for line in lines if "mi" in line]:
        yield "estimate", plots.estimate_by_step(estimated, None, None)


def accuracy(lines: Lines, pixels: float) -> Figure:
    """Draw the test accuracy of both probes by step, the range of the copies, and the accuracy for
    the view itself.
    """
    figure, axes = plots.blank("step", "test accuracy")
    steps = [line["step"] for line in lines]
    for name, label in {"accuracy": "linear probe", "accuracy_knn": "nearest neighbours"}.items():
        copies = [copies_of(line, name) for line in lines]
        axes.plot(steps, [line[name] for line in lines], marker="o", markersize=3, label=label)
        axes.fill_between(steps, [*map(min, copies)], [*map(max, copies)], alpha=0.2)
    axes.axhline(pixels, label="linear probe of the view itself", **plots.TRUTH)
    axes.legend()
    return figure


def condition(lines: Lines) -> Figure:
    """Draw the log condition numbers of the Jacobians by step, in bands from the smallest to the
    largest, as in Tschannen et al. 2020.
    """
    figure, axes = plots.blank("step", "log condition number in nats")
    steps = [line["step"] for line in lines]
    levels = [*zip(*(line["log_condition_percentiles"] for line in lines), strict=True)]
    for low, high in pairwise(levels):
        axes.fill_between(steps, low, high, color="tab:blue", alpha=0.2)
    axes.plot(
        steps,
        [line["log_condition"] for line in lines],
        color="tab:blue",
        label="median; bands of a fifth each",
    )
    axes.legend()
    return figure
