"""A report reads only run directories: one row for each run, means over the runs, and one block of
a page.
"""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

from infobound.runners.reports.results import Results
from infobound.runners.reports.tables import aggregated
from tests.conftest import Background

SWEEP = Path("outputs/sweeps/s")
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep: two seeds of two truths, and a run that failed."""
    folder = tmp_path_factory.mktemp("sweep")
    values = ["seed=0,1", "dataset.mutual_information=1,2"]
    diverging = [
        "estimator=nwj",
        "optimizer=sgd",
        "optimizer.lr=1e30",
        "dataset.mutual_information=1",
    ]
    assert Background(["-m", "name=s", *values], folder).ended().code == 0
    assert Background(["-m", "name=s", *diverging], folder).ended().code == 3
    return folder


@pytest.fixture
def swept(command: Command, sweep: Path) -> Command:
    """The launcher in a folder with a copy of that sweep."""
    shutil.copytree(sweep / "outputs", "outputs")
    return command


def results() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(SWEEP.glob("*/result.json"))]


def test_a_report_has_a_row_for_every_run_and_the_means_of_the_completed(swept: Command) -> None:
    before = {path: path.read_bytes() for path in SWEEP.rglob("*") if path.is_file()}
    ended = swept("runner=report", "runner.source=outputs/sweeps/s", "name=r")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("4 of 5 runs completed")
    rows = pd.read_csv(SWEEP / "summary.csv")
    assert sorted(rows["status"]) == ["completed"] * 4 + ["failed"]
    assert "stopped being finite" in rows.set_index("status")["error"]["failed"]
    assert {path: path.read_bytes() for path in before} == before, (
        "nothing is trained or written again"
    )
    table = (SWEEP / "summary.md").read_text()
    for truth in (1, 2):
        values = [
            each["metrics"]["mi"]
            for each in results()
            if each["metrics"].get("mi_true") == pytest.approx(truth)
        ]
        mean = np.mean(values)
        assert (
            f"| {truth}.000 | {mean:.3f} ± {np.std(values, ddof=1):.3f} | {mean / np.log(2):.3f}"
            " | 2 |" in table
        )
    assert {path.name for path in (SWEEP / "figures").iterdir()} >= {"truth.png"}


def test_a_report_replaces_its_block_of_a_page_and_no_other_byte(swept: Command) -> None:
    page = Path("RESULTS.md")
    page.write_text("# Results\n<!-- a -->\nold\n<!-- /a -->\n<!-- b -->\nkept\n<!-- /b -->\n")
    report = ["runner=report", "runner.source=outputs/sweeps/s", "runner.page=RESULTS.md"]
    assert swept(*report, "runner.block=a").code == 0
    _, table, failed = (SWEEP / "summary.md").read_text().split("\n\n")
    assert "stopped being finite" in failed
    table += "\n"
    assert (
        page.read_text()
        == f"# Results\n<!-- a -->\n{table}<!-- /a -->\n<!-- b -->\nkept\n<!-- /b -->\n"
    )
    before = page.read_text()
    ended = swept(*report, "runner.block=c")
    assert ended.code == 2
    assert "block must be in RESULTS.md" in ended.err
    assert page.read_text() == before


def test_runs_that_differ_only_in_averaged_keys_are_one_row(swept: Command) -> None:
    assert (
        swept(
            "runner=report",
            "runner.source=outputs/sweeps/s",
            "runner.over=[dataset.mutual_information]",
        ).code
        == 0
    )
    values = [each["metrics"]["mi"] for each in results() if each["status"] == "completed"]
    table = (SWEEP / "summary.md").read_text()
    mean = np.mean(values)
    assert f"{mean:.3f} ± {np.std(values, ddof=1):.3f} | {mean / np.log(2):.3f} | 4 |" in table
    ended = swept("runner=report", "runner.source=outputs/sweeps/s", "runner.over=[nothing]")
    assert ended.code == 2
    assert "over must name keys in which the runs differ, got nothing; they differ in " in ended.err


@pytest.mark.parametrize(("stderr_of", "count"), [("replicates", 6), ("folds", 2)])
def test_replicates_count_as_runs_and_folds_do_not(stderr_of: str, count: int) -> None:
    copies = [[1.0, 4.0, 1.0], [1.0, 1.0, 7.0]]
    means = [float(np.mean(each)) for each in copies]
    rows = pd.DataFrame(
        {"status": "completed", "mi": means, "mi_replicates": copies, "stderr_of": stderr_of}
    )
    [pooled] = aggregated(rows, [], "mi").to_dict("records")
    assert pooled["runs"] == count
    assert pooled["mean"] == pytest.approx(np.mean(means))
    assert pooled["sd"] == pytest.approx(
        np.std(copies if stderr_of == "replicates" else means, ddof=1)
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runner.source=nowhere"], "source must name folders of runs"),
        ([], "runner.source is missing; give runner.source=..."),
        (["runner.source=[a,b]"], "into must name the folder to write to"),
        (["runner.source=a", "runner.page=RESULTS.md"], "page and block must be given together"),
    ],
)
def test_a_report_of_nothing_is_refused(
    arguments: list[str], words: str, command: Command, tmp_path: Path
) -> None:
    ended = command("runner=report", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_metric_that_no_run_has_is_refused_with_those_there_are(swept: Command) -> None:
    before = (SWEEP / "summary.csv").stat().st_mtime_ns
    ended = swept("runner=report", "runner.source=outputs/sweeps/s", "runner.metric=accuracy")
    assert ended.code == 2
    assert "metric must be a metric of the runs, got accuracy; they have " in ended.err
    assert (SWEEP / "summary.csv").stat().st_mtime_ns == before


def test_a_setting_left_at_its_default_is_read_from_the_configuration(command: Command) -> None:
    for name, arguments in {
        "a": [],
        "b": ["estimator=nwj", "optimizer.lr=0.01", "critic.hidden=[4]"],
    }.items():
        assert command(f"name=s/{name}", *arguments).code == 0
    assert command("runner=report", "runner.source=outputs/runs/s").code == 0
    rows = pd.read_csv("outputs/runs/s/summary.csv").set_index("run").sort_index()
    assert list(rows["estimator"]) == ["infonce", "nwj"]
    assert list(rows["optimizer.lr"]) == [5e-4, 0.01]
    assert list(rows["critic.hidden"]) == ["[8]", "[4]"]


def test_a_report_of_failed_runs_alone_still_has_its_rows(command: Command) -> None:
    assert command("name=s", "estimator=nwj", "optimizer=sgd", "optimizer.lr=1e30").code == 1
    ended = command("runner=report", "runner.source=outputs/runs/s", "runner.metric=mi")
    assert ended.code == 0
    assert ended.out.startswith("0 of 1 runs completed")
    assert list(pd.read_csv("outputs/runs/s/summary.csv")["status"]) == ["failed"]


def test_names_that_were_swept_stand_side_by_side_with_their_kinds(command: Command) -> None:
    assert command("-m", "name=s", "estimator=infonce,jsd").code == 0
    assert command("runner=report", "runner.source=outputs/sweeps/s", "name=r").code == 0
    table = (SWEEP / "summary.md").read_text()
    assert "| estimator | kind | truth | mean ± sd | bits | runs |" in table
    assert "| infonce | lower bound | 2.000 |" in table
    assert "| jsd | neither | 2.000 |" in table
    assert {path.name for path in (SWEEP / "figures").iterdir()} == {
        "settings.png",
        "mi_by_step.png",
    }


def test_further_metrics_are_drawn_below_with_their_own_errors(
    leave: Callable[..., Path], tmp_path: Path
) -> None:
    for beta, seed in itertools.product((0.1, 1, 10), range(3)):
        found = {"error": 0.1 * beta + 0.01 * seed, "rate": 9 - beta + seed}
        leave(f"s/{beta},{seed}", [f"regularizer.beta={beta}", f"seed={seed}"], metrics=found)
    results = Results.of([tmp_path / "s"], "error", ["rate"])
    figure = dict(results.figures())["regularizer.beta,error,rate"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["error", "rate in nats"]
    assert figure.axes[0].get_xscale() == "log"
    for axes, means in zip(figure.axes, ([0.02, 0.11, 1.01], [9.9, 9, 0]), strict=True):
        [drawn] = axes.containers
        assert isinstance(drawn, ErrorbarContainer)
        line, _, [bars] = drawn.lines
        assert np.array(line.get_ydata(), dtype=float) == pytest.approx(means)
        low, high = bars.get_segments()[0][:, 1]
        assert (high - low) / 2 == pytest.approx((0.01 if axes is figure.axes[0] else 1.0) / 3**0.5)
    assert "regularizer.beta,error,rate" not in dict(
        Results.of([tmp_path / "s"], "error").figures()
    )
