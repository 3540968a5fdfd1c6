"""A finished sweep in TensorBoard, read from its pages in a browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

import run
from infobound.runners.runs import board

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium comes with the dev extra")
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER) and not os.environ.get("CI"),
        reason="chromium and chromedriver are not installed",
    ),
]
SWEEP = ["-m", "name=grid", "estimator=nwj,infonce", "optimizer=sgd", "optimizer.lr=0.01,1e30"]
CADENCE = ["runner.steps=20", "runner.eval_every=4", "runner.log_every=5"]
FIND = """
const found = [];
const walk = root => root.querySelectorAll('*').forEach(each => {
    if (each.matches(arguments[0]) && each.getClientRects().length) found.push(each);
    if (each.shadowRoot) walk(each.shadowRoot);
});
walk(document);
"""
WAIT = 60
"""Seconds that a page may take on a busy machine."""


def eventually(condition: Callable[[], Any]) -> Any:
    """The first true value of the condition."""
    end = time.monotonic() + WAIT
    while not (said := condition()):
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.1)
    return said


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep with some failed jobs, and the folder of a job that was killed after an
    interruption.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("board"))
        patch.setattr(sys, "argv", [run.__file__])
        patch.setenv("HYDRA_FULL_ERROR", "1")
        assert run.launch([*SWEEP, *CADENCE]) == 3
        folder = Path("outputs/sweeps/grid").resolve()
    config = yaml.safe_load(next(folder.glob("*/.hydra/config.yaml")).read_text())
    for status in ("interrupted", "killed"):
        board.row(folder / "seed=9", {**config, "seed": 9}, {}, status)
    return folder


@pytest.fixture(scope="module")
def jobs(sweep: Path) -> dict[str, dict[str, Any]]:
    """The result of every job, by the name of its folder."""
    return {path.parent.name: json.loads(path.read_text()) for path in sweep.glob("*/result.json")}


@pytest.fixture(scope="module")
def completed(jobs: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, result in jobs.items() if result["status"] == "completed"}


@pytest.fixture(scope="module")
def address(sweep: Path) -> Iterator[str]:
    """A TensorBoard that has read every job."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(sweep),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"

    def read() -> bool:
        assert server.poll() is None, "it ended"
        with suppress(OSError), urllib.request.urlopen(f"{address}data/runs", timeout=5) as answer:
            return len(json.load(answer)) == len(
                {path.parent for path in sweep.glob("*/events.out.tfevents.*")}
            )
        return False

    try:
        eventually(read)
        yield address
    finally:
        server.kill()
        server.wait()


class Page:
    """A page of TensorBoard in a browser; searches include its shadow roots."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def elements(self, selector: str) -> list[Any]:
        return self._driver.execute_script(f"{FIND} return found;", selector)

    def texts(self, selector: str) -> list[str]:
        text = r"each => each.textContent.trim().replace(/\s+/g, ' ')"
        return self._driver.execute_script(f"{FIND} return found.map({text});", selector)

    def click(self, element: Any) -> None:
        """Click an element, even if it is outside the visible area."""
        self._driver.execute_script("arguments[0].click()", element)

    def table(self) -> dict[str, dict[str, str]]:
        """The rows of the table of hyperparameters, by the name of the run."""
        columns, cells = (
            self.texts(".table-header.table-cell"),
            self.texts(".table-cell:not(.table-header)"),
        )
        rows = [cells[start : start + len(columns)] for start in range(0, len(cells), len(columns))]
        return {name: dict(zip(columns, [name, *others], strict=True)) for name, *others in rows}


@pytest.fixture(scope="module")
def open_page(address: str) -> Iterator[Callable[[str], Page]]:
    """`open_page("hparams")` opens that tab."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=2400,1400",
    ):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

    def call(tab: str) -> Page:
        driver.get("about:blank")
        driver.get(f"{address}#{tab}")
        return Page(driver)

    try:
        yield call
    finally:
        driver.quit()


def test_hyperparameters_have_one_row_a_job_with_its_status_and_numbers(
    open_page: Callable[[str], Page], jobs: dict[str, dict[str, Any]], completed: set[str]
) -> None:
    page = open_page("hparams")
    eventually(lambda: len(page.texts(".table-header")) > 5 and len(page.table()) == len(jobs) + 1)
    table = page.table()
    assert set(table) == {*jobs, "seed=9"}
    assert {name: row["Status"] for name, row in table.items()} == {
        **{name: result["status"] for name, result in jobs.items()},
        "seed=9": "killed",
    }
    assert 0 < len(completed) < len(jobs)
    for name in completed:
        for metric in ("mi", "mi_stderr", "mi_true"):
            assert float(table[name][f"final/{metric}"]) == pytest.approx(
                jobs[name]["metrics"][metric], rel=1e-3
            ), metric
        assert f"estimator={table[name]['estimator'].lower()}," in name
    assert {table[name]["final/mi"] for name in {*table} - completed} == {""}


def test_failed_jobs_are_found_by_tensorboards_own_status(
    open_page: Callable[[str], Page], jobs: dict[str, dict[str, Any]], completed: set[str]
) -> None:
    page = open_page("hparams")
    matching = "Number of matching session groups: {}"
    eventually(lambda: matching.format(len(jobs) + 1) in page.texts("div"))
    [success] = [each for each in page.elements("paper-checkbox") if each.text == "Success"]
    page.click(success)
    eventually(lambda: matching.format(len(jobs) + 1 - len(completed)) in page.texts("div"))


def test_one_chart_has_the_curves_truth_and_cap_of_every_job(
    open_page: Callable[[str], Page], completed: set[str]
) -> None:
    page = open_page("custom_scalars")
    drawn = {
        f"mi/{curve} ({name})"
        for name in completed
        for curve in ("train", "validation", "test", "true")
    }
    drawn |= {f"mi/cap ({name})" for name in completed if "infonce" in name}
    eventually(lambda: page.elements(".toggle-matches-button"))
    page.click(page.elements(".toggle-matches-button")[0])

    def listed() -> set[str]:
        """The curves in the chart's list, without their symbols."""
        return {text.partition(" ")[2] for text in page.texts(".match-list-entry")}

    eventually(lambda: drawn <= listed())
    assert not {
        curve for curve in listed() if curve.startswith("mi/cap") and "estimator=nwj" in curve
    }
    assert page.texts(".heading-label.name") == ["I(X;Y) in nats"]


def test_pictures_slide_through_their_steps(
    open_page: Callable[[str], Page], completed: set[str]
) -> None:
    page = open_page("images")
    eventually(lambda: len(page.elements("paper-slider#steps")) == len(completed))
    eventually(
        lambda: all(int(each.get_property("naturalWidth")) > 600 for each in page.elements("img"))
    )
    assert set(page.texts("#heading-run")) >= completed
    for slider in page.elements("paper-slider#steps"):
        assert slider.get_property("max") == 2
    shown = [eventually(lambda: step_of(page))]
    for before in (20, 16):
        page.elements("paper-slider#steps")[0].send_keys(Keys.ARROW_LEFT)
        shown.append(eventually(lambda before=before: step_of(page) != before and step_of(page)))
    assert shown == [20, 16, 4]


def step_of(page: Page) -> int | None:
    """The step in the first picture's heading."""
    steps = [text.split()[1] for text in page.texts(".heading-label") if text.startswith("step")]
    return int(steps[0]) if steps else None


def test_runs_are_named_by_their_overrides(
    open_page: Callable[[str], Page], jobs: dict[str, dict[str, Any]]
) -> None:
    page = open_page("timeseries")
    eventually(lambda: set(page.texts(".cell")) >= set(jobs))
    assert all({"optimizer=sgd", "runner.steps=20"} <= set(name.split(",")) for name in jobs)
    titles = eventually(lambda: page.texts(".group-title"))
    assert {"estimate", "final", "mi"} <= set(titles)
