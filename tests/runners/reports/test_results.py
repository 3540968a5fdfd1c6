"""Means and errors match NumPy's, axes fit the grid, and heat maps have a cell for each pair."""

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infobound.runners.reports import report
from infobound.runners.reports.report import Report
from infobound.runners.reports.results import Results
from infobound.runners.reports.sweep_figures import of_means
from infobound.runners.reports.tables import averaged
from infobound.runners.runs import plots
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.records import InMemory

BETA = "regularizer.beta"
Leave = Callable[..., Path]
Sweep = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def sweep(leave: Leave) -> Sweep:
    """`sweep({"seed": [0, 1]}, value, mi_true=2.0)` writes a run for every point of the grid with
    the result `value`; it returns the settings with the results.
    """

    def write(
        grid: Mapping[str, Sequence[Any]], value: Callable[..., float], **metrics: Any
    ) -> list[dict[str, Any]]:
        rows = []
        for index, point in enumerate(product(*grid.values())):
            settings = dict(zip(grid, point, strict=True))
            short = {key.rpartition(".")[2]: each for key, each in settings.items()}
            read = {"mi": value(**short), "mi_stderr": 0.25, **metrics}
            leave(
                f"s/{index}",
                [f"{key}={each}" for key, each in settings.items()],
                metrics=read,
                seed=settings.get("seed", 0),
            )
            rows.append({**settings, **read})
        return rows

    return write


def drawn(folder: Path, **settings: Any) -> dict[str, plots.Figure]:
    results = Results.of([folder], **settings)
    return dict(of_means(results.means, results.keys, results.metric, results.units))


def test_means_and_errors_over_seeds_and_replicates_are_those_of_numpy(
    leave: Leave, tmp_path: Path
) -> None:
    copies = np.random.default_rng(0).normal(size=(2, 3, 4))
    for beta, seed in product(range(2), range(3)):
        each = copies[beta, seed]
        metrics = {
            "mi": each.mean(),
            "mi_stderr": 9.0,
            "mi_replicates": each.tolist(),
            "stderr_of": "replicates",
            "mi_true": 2.0,
        }
        leave(f"{beta}{seed}", [f"{BETA}={beta}", f"seed={seed}"], metrics=metrics)
    means = Results.of([tmp_path]).means
    pooled = copies.reshape(2, 12)
    np.testing.assert_allclose(means["mean"], pooled.mean(1))
    np.testing.assert_allclose(means["sd"], pooled.std(1, ddof=1))
    np.testing.assert_allclose(means["stderr"], pooled.std(1, ddof=1) / 12**0.5)
    assert means[[BETA, "runs", "truth"]].to_numpy().tolist() == [[0, 12, 2], [1, 12, 2]]
    [axes] = drawn(tmp_path)[BETA].axes
    _, _, (bars,) = axes.containers[0]
    np.testing.assert_allclose(
        [np.ptp(bar[:, 1]) / 2 for bar in bars.get_segments()], means["stderr"]
    )


def test_a_single_run_has_its_own_error(sweep: Sweep, tmp_path: Path) -> None:
    sweep({BETA: [0, 1]}, lambda beta: 1.0 - beta)
    results = Results.of([tmp_path])
    assert results.means["stderr"].tolist() == [0.25, 0.25]
    assert "| 1.000 ± 0.250 (standard error) |" in results.table()


def test_a_single_run_that_states_no_error_has_none(leave: Leave, tmp_path: Path) -> None:
    leave("0", [f"{BETA}=1"], metrics={"mi": 1.0, "rate": 3.0})
    assert "| 3.000 | 4.328 | 1 |" in Results.of([tmp_path], "rate").table()


def test_a_table_shows_two_digits_of_an_error(leave: Leave, tmp_path: Path) -> None:
    leave("0", [f"{BETA}=1"], metrics={"accuracy": 0.9859, "accuracy_stderr": 0.00118})
    assert "| 0.9859 ± 0.0012 (standard error) |" in Results.of([tmp_path], "accuracy").table()


def test_further_metrics_are_means_of_their_setting_even_if_a_run_lacks_a_key(
    leave: Leave, tmp_path: Path
) -> None:
    for index, overrides in enumerate(
        [[], [], ["critic.negatives=null"], ["critic.negatives=16"], ["critic.negatives=16"]]
    ):
        leave(
            str(index),
            overrides,
            metrics={"mi": 1.0, "mi_stderr": 0.1, "mse": float(index), "level": 2.0},
        )
    means = Results.of([tmp_path], beside=["mse"]).means
    assert dict(zip(means["critic.negatives"].map(str), means["mse"], strict=True)) == {
        "nan": 0.5,
        "null": 2,
        "16.0": 3.5,
    }


def test_a_run_over_levels_has_a_row_and_a_point_for_each(leave: Leave, tmp_path: Path) -> None:
    levels = [
        {"level": float(nats), "mi": nats - 0.5, "mi_true": float(nats)} for nats in (2, 4, 6)
    ]
    leave("a", [], metrics={"mi": 5.5, "mi_stderr": 0.1, "levels": levels})
    leave("b", [], status="failed")
    means = Results.of([tmp_path]).means
    assert means[["level", "truth", "mean"]].to_numpy().tolist() == [
        [2, 2, 1.5],
        [4, 4, 3.5],
        [6, 6, 5.5],
    ]
    assert drawn(tmp_path).keys() == {"truth"}


def test_a_figure_of_an_incomplete_sweep_goes_when_the_complete_one_has_none(
    leave: Leave, tmp_path: Path
) -> None:
    def done(nats: int) -> set[str]:
        for estimator in ("dv", "nwj"):
            choices = [f"estimator={estimator}", f"dataset.mutual_information={nats}"]
            leave(f"{estimator}{nats}", choices, metrics={"mi": 0.9 * nats, "mi_true": nats})
        report.summarise(tmp_path, ["svg"])
        return {path.name for path in (tmp_path / "figures").iterdir()}

    assert done(1) == {"settings.svg"}
    assert done(2) == {"truth.svg", "estimator,dataset.mutual_information.svg"}


def test_summary_csv_gives_every_number_back(sweep: Sweep, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).lognormal(sigma=20, size=(4, 2))
    written = sweep({"optimizer.lr": numbers[:, 0].tolist()}, lambda lr: lr / 3, mi_true=None)
    report.summarise(tmp_path)
    with (tmp_path / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key in ("mi", "optimizer.lr"):
        assert [float(row[key]) for row in rows] == [row[key] for row in written]
    assert {row["mi_true"] for row in rows} == {""}


def test_the_metric_is_the_first_that_the_runs_name_and_has_its_unit(
    leave: Leave, tmp_path: Path
) -> None:
    for name in ("0", "1"):
        metrics = {"kind": "words", "accuracy": float(name), "mi": 1.0}
        leave(name, [f"{BETA}={name}"], metrics=metrics)
    assert Results.of([tmp_path]).metric == "accuracy"
    assert drawn(tmp_path)[BETA].axes[0].get_ylabel() == "accuracy"
    assert drawn(tmp_path, metric="mi")[BETA].axes[0].get_ylabel() == "I(X;Y) in nats"
    assert "bits" not in Results.of([tmp_path]).table()
    with pytest.raises(ConfigError, match="metric must be a metric of the runs, got kind"):
        Results.of([tmp_path], "kind")


def test_a_metric_beside_information_is_drawn_against_it(leave: Leave, tmp_path: Path) -> None:
    """There is one line for each regularizer, in the order of its strengths, with both standard
    errors; one without a strength is a point.
    """
    for kind, lam in (("minmax", 10), ("minmax", 0.3), ("minmax", 1), ("kl", 1), ("kl", 3)):
        for seed in (0, 1):
            metrics = {"auc": 0.9 - lam / 100 + seed / 50, "mi": 1 / lam + seed / 10, "ece": lam}
            leave(
                f"{kind}{lam}{seed}",
                [f"regularizer={kind}", f"regularizer.lam={lam}", f"seed={seed}"],
                metrics=metrics,
            )
    leave(
        "none",
        ["regularizer=none"],
        metrics={"auc": 0.95, "auc_stderr": 0.01, "mi": 2.0, "mi_stderr": 0.1, "ece": 0},
    )
    axes = dict(Results.of([tmp_path]).figures())["tradeoff"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("I(X;Y) in nats", "auc")
    lines = {container.get_label(): container for container in axes.containers}
    assert {*lines} == {"minmax", "kl", "none"}
    data, _, bars = lines["minmax"]  # pyright: ignore[reportGeneralTypeIssues]
    np.testing.assert_allclose(
        np.asarray(data.get_xdata(), float), [1 / lam + 0.05 for lam in (0.3, 1, 10)]
    )
    np.testing.assert_allclose(
        np.asarray(data.get_ydata(), float), [0.91 - lam / 100 for lam in (0.3, 1, 10)]
    )
    assert len(bars) == 2
    assert (
        dict(Results.of([tmp_path], against="ece").figures())["tradeoff"].axes[0].get_xlabel()
        == "ece"
    )
    assert "tradeoff" not in dict(Results.of([tmp_path], "mi").figures())
    with pytest.raises(ConfigError, match="against must be a metric of the runs, got nothing"):
        Results.of([tmp_path], against="nothing")


@pytest.mark.parametrize(
    ("grid", "scale"),
    [
        ([0.1, 1, 10], "log"),
        ([1, 2, 4, 8.05], "log"),
        ([1e-4, 3e-4, 1e-3, 3e-3, 1e-2], "log"),
        ([0, 0.01, 0.02, 0.04], "symlog"),
        ([1, 2, 3], "linear"),
        ([1, 2, 4, 6], "linear"),
        ([1, 10], "linear"),
        ([0, 1, 10], "linear"),
        ([-1, 1, 2, 4], "linear"),
    ],
)
def test_a_geometric_grid_has_a_logarithmic_axis(
    grid: list[float], scale: str, sweep: Sweep, tmp_path: Path
) -> None:
    sweep({BETA: grid}, lambda beta: beta)
    [axes] = drawn(tmp_path)[BETA].axes
    assert axes.get_xscale() == scale
    assert axes.get_xlabel() == BETA
    if scale != "linear":
        assert [float(tick.get_text()) for tick in axes.get_xticklabels()] == grid
        places = axes.transData.transform([(value, 0) for value in grid])[:, 0]
        np.testing.assert_allclose(np.diff(places), np.diff(places).mean(), rtol=0.1)


def test_a_heat_map_has_the_mean_of_each_pair_and_a_hole_where_none_was_run(
    sweep: Sweep, tmp_path: Path
) -> None:
    def value(estimator: str, beta: float, critic: float, seed: float) -> float:
        return 10 * beta + len(estimator) + seed + 0.5 * critic

    rows = sweep(
        {"estimator": ["nwj", "dv"], BETA: [1, 2, 3], "critic": [0, 1], "seed": [0, 1]}, value
    )
    for index, row in enumerate(rows):
        if (row["estimator"], row[BETA], row["critic"]) == ("dv", 2, 1):
            (tmp_path / "s" / str(index) / "result.json").unlink()
    axes, bar = drawn(tmp_path)[f"estimator,{BETA}"].axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["nwj", "dv"], (
        "from the top as in the alphabet"
    )
    assert axes.images[0].origin == "lower"
    wanted = np.array(
        [[value(name, beta, 0.5, 0.5) for beta in (1, 2, 3)] for name in ("nwj", "dv")]
    )
    wanted[1, 1] = np.nan
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()).astype(float), wanted)
    texts = {text.get_position(): float(text.get_text()) for text in axes.texts}
    assert texts == {
        (x, y): pytest.approx(value, abs=0.051)
        for (y, x), value in np.ndenumerate(wanted)
        if not np.isnan(value)
    }
    colours = {text.get_color() for text in axes.texts if float(text.get_text()) > 30}
    assert colours == {"black"}, "on what is bright"
    assert bar.get_ylabel() == "I(X;Y) in nats,\nmean over critic"


def test_keys_that_change_together_have_no_heat_map(leave: Leave, tmp_path: Path) -> None:
    for index in range(3):
        leave(
            str(index),
            [f"optimizer.lr={index}", f"{BETA}={index}"],
            metrics={"mi": 1.0, "mi_stderr": 0.1},
        )
    assert drawn(tmp_path).keys() == {"optimizer.lr", BETA}


def test_a_mean_over_a_key_has_the_error_of_independent_runs() -> None:
    means = pd.DataFrame(
        {
            "a": [0, 0, 1],
            "b": [0, 1, 0],
            "mean": [1.0, 2.0, 5.0],
            "stderr": [0.3, 0.4, 0.1],
            "truth": 2.0,
        }
    )
    [row] = averaged(means, ["a"], ["b"]).to_dict("records")
    assert (row["a"], row["mean"], row["truth"]) == (0, 1.5, 2.0), (
        "of a = 1 one value of b is absent"
    )
    assert row["stderr"] == pytest.approx(0.25)


def test_no_figure_has_more_than_twenty_lines(sweep: Sweep, tmp_path: Path) -> None:
    sweep(
        {BETA: [1, 2], "critic": range(4), "seed": [0], "runner.steps": range(6)}, lambda **_: 1.0
    )
    [axes] = drawn(tmp_path)[BETA].axes
    assert len(axes.containers) == 4
    assert axes.get_ylabel() == "I(X;Y) in nats,\nmean over runner.steps"


def test_a_random_search_is_drawn_as_points(leave: Leave, tmp_path: Path) -> None:
    for index, (lr, beta) in enumerate(np.random.default_rng(0).random((30, 2))):
        leave(
            str(index),
            [f"optimizer.lr={lr}", f"{BETA}={beta}"],
            metrics={"mi": lr, "mi_stderr": 0.1},
        )
    pictures = drawn(tmp_path)
    assert pictures.keys() == {"optimizer.lr", BETA}
    [points] = pictures[BETA].axes[0].containers
    assert points[0].get_linestyle() == "None"
    assert len(points[0].get_xdata()) == 30


def test_a_legend_covers_no_line(sweep: Sweep, tmp_path: Path) -> None:
    sweep(
        {BETA: [1, 2, 3], "estimator": [f"name-{index}" for index in range(20)]},
        lambda **_: 1.0,
        mi_true=2.0,
    )
    for name, figure in drawn(tmp_path).items():
        plots.png(figure)
        for legend in figure.legends:
            assert len(legend.get_texts()) == 21, name
            inside = figure.bbox.padded(1)
            box = legend.get_window_extent()
            assert not box.overlaps(figure.axes[0].get_window_extent())
            assert inside.contains(box.x0, box.y0)
            assert inside.contains(box.x1, box.y1)


def test_the_runner_writes_what_the_end_of_a_sweep_writes(sweep: Sweep, tmp_path: Path) -> None:
    sweep({BETA: [1, 2]}, lambda beta: float(beta))
    report.summarise(tmp_path / "s")
    settings: dict[str, Any] = {
        "metric": None,
        "beside": [],
        "over": [],
        "baseline": None,
        "against": None,
        "page": None,
        "block": None,
    }
    outcome = Report(
        source=[str(tmp_path / "s")], into=str(tmp_path / "into"), **settings
    ).prepare()(InMemory())
    assert outcome.metrics == {"runs": 2, "completed": 2}
    left = sorted(path.relative_to(tmp_path / "into") for path in (tmp_path / "into").rglob("*.*"))
    assert {path.suffix for path in left} == {".csv", ".md", ".png"}
    for path in left:
        assert (tmp_path / "into" / path).read_bytes() == (tmp_path / "s" / path).read_bytes()


def test_the_course_of_a_metric_is_its_mean_and_deviation_over_runs_and_replicates(
    leave: Leave, tmp_path: Path
) -> None:
    """Only held-out lines count, and the baseline is drawn as a level."""
    copies = np.random.default_rng(0).random((2, 2, 3, 2))
    for beta, seed in product(range(2), range(2)):
        metrics = {"accuracy": 0.5, "accuracy_pixels": 0.25, "stderr_of": "replicates"}
        folder = leave(f"{beta}{seed}", [f"{BETA}={beta}", f"seed={seed}"], metrics=metrics)
        lines = [
            {"step": 1, "split": "train", "accuracy": 9.0},
            {"step": 7, "split": "validation", "mi": 9.0},
        ]
        for step, each in enumerate(copies[beta, seed]):
            lines.append(
                {
                    "step": step,
                    "split": "validation",
                    "accuracy": each.mean(),
                    "accuracy_replicates": [*map(float, each)],
                }
            )
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results = Results.of([tmp_path], "accuracy", ["accuracy_pixels"], baseline="accuracy_pixels")
    axes = dict(results.figures())["accuracy_by_step"].axes[0]
    assert [line.get_label() for line in axes.lines] == ["0", "1", "accuracy_pixels"]
    for beta, (line, band) in enumerate(zip(axes.lines, axes.collections, strict=False)):
        steps, means = np.asarray(line.get_xydata()).T
        each = copies[beta].transpose(1, 0, 2).reshape(3, 4)
        np.testing.assert_allclose(steps, [0, 1, 2])
        np.testing.assert_allclose(means, each.mean(1))
        edges = np.asarray(band.get_paths()[0].vertices)[:, 1]
        assert edges.max() == pytest.approx((each.mean(1) + each.std(1, ddof=1)).max())
    assert np.asarray(axes.lines[2].get_ydata()) == pytest.approx(0.25)
    assert "accuracy_pixels_by_step" not in dict(results.figures()), (
        "nobody has recorded its course"
    )


def test_a_baseline_is_drawn_as_a_level() -> None:
    with pytest.raises(
        ValueError, match=r"^baseline must be one of beside, mi, got accuracy_pixels"
    ):
        Report(
            source="s",
            metric=None,
            beside=["mi"],
            over=[],
            baseline="accuracy_pixels",
            against=None,
            into=None,
            page=None,
            block=None,
        )


def test_two_thousand_jobs_take_seconds(sweep: Sweep, tmp_path: Path) -> None:
    grid = {"estimator": ["a", "b"], "optimizer.lr": range(10), BETA: range(10), "seed": range(10)}
    sweep(grid, lambda **_: 1.0, mi_true=2.0)
    began = time.process_time()
    assert report.summarise(tmp_path).line.startswith("2000 of 2000 runs completed;")
    assert time.process_time() - began < 12, "10,000 are to take less than a minute"
