"""Figures are whole, say the same everywhere, and are written in the formats asked for."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from infobound.runners.encoders.figures import of_encoders
from infobound.runners.runs import plots

LONG = "runner.a_rather_long_name_of_a_group.and_of_its_part.with_a_key"
POINTS = pd.DataFrame(
    {LONG: [1, 2], "truth": [1.0, 2.0], "mean": [1.0, 2.0], "stderr": [0.1, 0.1]}
    | {"label": [f"{LONG}, infonce", "b"], "kind": ["lower bound", "neither"], "sd": 0.1, "step": 1}
)
LINES = plots.Lines({f"{LONG}=1": POINTS, "b": POINTS}, f"{LONG}, {LONG}", False)
CELLS = pd.DataFrame(
    [[1.0, 2.0], [3.0, 4.0]],
    index=pd.Index([LONG, "b"], name=LONG),
    columns=pd.Index([LONG, "b"], name=LONG),
)
HISTORY = [
    {"step": 0, "split": "validation", "accuracy": 0.1, "accuracy_knn": 0.1},
    {"step": 9, "split": "test", "accuracy": 0.9, "accuracy_knn": 0.8, "accuracy_stderr": 0.1},
]


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: plots.against(LONG, LINES, f"{LONG} in nats, mean over {LONG}", joined=True),
        lambda: plots.one_over_the_other(LONG, {LONG: LINES, "b": LINES}),
        lambda: plots.side_by_side(POINTS, LONG, f"{LONG}, {LONG}"),
        lambda: plots.heat_map(CELLS, f"{LONG} in nats,\nmean over {LONG}"),
        lambda: plots.by_step(LINES, LONG, {}),
    ],
    ids=["against", "one over the other", "side by side", "heat map", "by step"],
)
def test_no_label_is_cut_off(drawn: Callable[[], Figure]) -> None:
    picture = matplotlib.image.imread(io.BytesIO(plots.png(drawn())))[..., :3]
    for edge in picture[0], picture[-1], picture[:, 0], picture[:, -1]:
        assert (edge == 1).all()


def test_vector_figures_keep_their_text_as_text(tmp_path: Path) -> None:
    figure = plots.permutation(np.arange(9.0), 3.0, plots.INFORMATION)
    assert b"/Type0" in plots.file(figure, "pdf") or b"/TrueType" in plots.file(figure, "pdf")
    assert b"/Type3" not in plots.file(figure, "pdf")
    assert plots.INFORMATION.encode() in plots.file(figure, "svg")
    assert plots.file(figure, "png").startswith(b"\x89PNG")


def test_every_figure_of_information_says_so_in_the_same_words() -> None:
    assert plots.estimate_by_step([], 1.0, None).axes[0].get_ylabel() == plots.INFORMATION
    assert plots.against_truth(LINES, "").axes[0].get_xlabel() == f"true {plots.INFORMATION}"


def test_a_best_estimate_is_drawn_beside_the_test_reading() -> None:
    line = {"split": "test", "step": 9, "mi": 2.0, "mi_stderr": 0.1}
    bound = {"mi_lower_bound": 1.8, "mi_lower_bound_stderr": 0.05}
    for read, said in ((line, ["test"]), ({**line, **bound}, ["best estimate", "test"])):
        drawn = plots.estimate_by_step([read], None, None).axes[0].get_legend_handles_labels()[1]
        assert drawn[-len(said) :] == said
        assert ("best estimate" in drawn) == (len(said) == 2)


def test_curves_have_validation_as_lines_and_the_test_as_points() -> None:
    [axes] = plots.curves(HISTORY, {"accuracy": "probe"}, "accuracy").axes
    assert axes.get_legend_handles_labels()[1] == ["probe", "probe, test"]


def test_the_accuracy_of_encoders_ends_with_that_of_the_test() -> None:
    figure = dict(of_encoders(HISTORY, 0.5))["accuracy"]
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[0, 0.1], [9, 0.9]]  # pyright: ignore[reportAttributeAccessIssue]
