"""Samples that a run keeps, and their figures, which are drawn from these files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.runners.reports.results import Results
from infobound.runners.runs import plots, sample_plots, snapshots
from infobound.runners.runs.records import Recording
from infobound.runners.runs.sample_plots import (
    Drawn,
    Row,
    Surface,
    beside,
    coverage_by_step,
    film,
    gallery,
    lattice,
)
from infobound.runners.runs.snapshots import Snapshots

RING = GaussianModes.ring(8, 2.0, 0.02)
CONFIG = {"seed": 0, "runner": {"_target_": "infobound.runners.gan.runner.GAN"}}


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(size: int = 60, seed: int = 0) -> Tensor:
    return RING.sample(size, source(seed))[0]


def drawn(x: Tensor) -> Drawn:
    return Drawn(x, torch.arange(len(x)) % 8)


def offsets(axes: Axes) -> np.ndarray:
    """The points of the last scatter."""
    return np.asarray(axes.collections[-1].get_offsets())


def picture(axes: Axes) -> np.ndarray:
    return np.atleast_3d(np.asarray(axes.images[0].get_array()))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A run's folder with data and samples of two copies after 0, 50 and 100 steps."""
    snapshots.write(tmp_path, None, points())
    for step in (0, 50, 100):
        snapshots.write(tmp_path, step, torch.stack([points(40, step), points(40, step + 1)]))
    return tmp_path


def test_snapshots_are_read_back_as_they_were_to_16_bits(kept: Path) -> None:
    read = Snapshots.of(kept)
    assert read is not None
    np.testing.assert_allclose(read.data, points(), rtol=2**-11, atol=1e-6)
    assert sorted(read.files) == [0, 50, 100]
    np.testing.assert_allclose(read.last[1], points(40, 101), rtol=2**-11, atol=1e-6)


def test_a_step_that_is_done_again_replaces_its_samples(kept: Path) -> None:
    snapshots.write(kept, 100, points(40, 7)[None])
    read = Snapshots.of(kept)
    assert read is not None
    assert len(read.files) == 3
    assert read.last.shape == (1, 40, 2)


def test_a_run_without_samples_has_no_snapshots(tmp_path: Path) -> None:
    assert Snapshots.of(tmp_path) is None
    snapshots.write(tmp_path, None, points())
    assert Snapshots.of(tmp_path) is None


def test_a_record_keeps_samples_in_the_run_s_folder(tmp_path: Path) -> None:
    recording = Recording(tmp_path, CONFIG, [])
    recording.samples(None, points())
    recording.samples(3, points()[None])
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        "000000003.npy",
        "data.npy",
    ]


def test_samples_stand_beside_the_data_in_one_range() -> None:
    figure = beside(drawn(5 * points()), drawn(points()))
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert right.get_xlim()[1] == pytest.approx(2 + 0.15 * 4, abs=0.1)
    np.testing.assert_allclose(offsets(left), 5 * points())
    np.testing.assert_allclose(offsets(right), points())


def test_a_mode_has_one_colour_on_both_sides() -> None:
    left, right = beside(drawn(points(16)), drawn(points(24))).axes
    for axes in (left, right):
        colours = axes.collections[-1].get_facecolor()
        assert np.allclose(colours[:8], left.collections[-1].get_facecolor()[:8])
        assert np.allclose(colours[8:16], colours[:8])
        assert len({tuple(each) for each in np.asarray(colours)[:8]}) == 8


def test_a_contour_has_the_discriminator_s_values_where_they_belong() -> None:
    """The score is the first coordinate, so levels rise from left to right."""
    places = lattice(points())
    figure = beside(drawn(points()), drawn(points()), Surface(places, places[:, 0]))
    contours = figure.axes[0].collections[-1]
    paths = [path for path in contours.get_paths() if len(np.asarray(path.vertices))]
    middles = [float(np.asarray(path.vertices)[:, 0].mean()) for path in paths]
    assert len(middles) > 10
    assert middles == sorted(middles)


def test_a_lattice_covers_what_is_shown() -> None:
    places, axes = lattice(points()), beside(drawn(points()), drawn(points())).axes[0]
    for index, limits in enumerate((axes.get_xlim(), axes.get_ylim())):
        assert [places[:, index].min().item(), places[:, index].max().item()] == pytest.approx(
            limits
        )


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_mosaic_shows_the_first_images_row_by_row(channels: int) -> None:
    values = torch.linspace(-1, 1, 70)[:, None, None, None].expand(-1, channels, 2, 3)
    shown = picture(beside(drawn(values), drawn(values)).axes[0])
    assert shown.shape == (16, 24, {1: 1, 2: 3, 3: 3}[channels])
    np.testing.assert_allclose(shown[0, ::3, 0], (values[:8, 0, 0, 0] + 1) / 2, atol=1e-6)
    np.testing.assert_allclose(shown[::2, 0, 0], (values[:64:8, 0, 0, 0] + 1) / 2, atol=1e-6)


def test_coverage_by_step_draws_every_quantity_of_the_held_out_lines() -> None:
    line = {
        "split": "validation",
        "modes": 3.0,
        "high_quality": 0.5,
        "kl": 1.0,
        "js": 0.1,
        "modes_replicates": [2.0, 4.0],
    }
    history = [line | {"step": step} for step in (0, 5)] + [
        {"split": "train", "step": 3, "loss": 1.0}
    ]
    figure = coverage_by_step(history, 8)
    assert [axes.get_ylabel() for axes in figure.axes] == [*sample_plots.QUANTITIES.values()]
    modes = figure.axes[0]
    assert np.asarray(modes.lines[0].get_xdata()).tolist() == [0, 5]
    assert np.asarray(modes.lines[1].get_ydata()).tolist() == [8, 8]
    assert modes.collections[0].get_paths()[0].get_extents().ymax == 4


def test_a_gallery_has_a_row_a_setting_and_a_panel_a_copy() -> None:
    data = points().numpy()
    figure = gallery({"beta=0": Row([data, 2 * data], data), "beta=1": Row([data], data)})
    assert len(figure.axes) == 4
    assert [len(axes.collections) for axes in figure.axes] == [2, 2, 2, 0]
    np.testing.assert_allclose(offsets(figure.axes[1]), 2 * data)
    assert plots.png(figure)


def frames(path: Path) -> int:
    with Image.open(path) as image:
        return getattr(image, "n_frames", 1)


def test_a_film_has_a_frame_a_step(kept: Path) -> None:
    read = Snapshots.of(kept)
    assert read is not None
    film(read, kept / "film.gif")
    assert frames(kept / "film.gif") == 3


def test_a_film_of_many_steps_leaves_out_some_but_neither_end(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_plots, "FRAMES", 2)
    titles: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda _, title, **__: titles.append(title))
    read = Snapshots.of(kept)
    assert read is not None
    film(read, kept / "film.gif")
    assert titles == ["step 0", "step 100"]


def written(folder: Path) -> dict[str, Figure]:
    return dict(Results.of([folder], "modes").written(folder))


@pytest.fixture
def left(leave: Callable[..., Path]) -> Callable[..., Path]:
    """`left("a", 0)` is the folder of a completed run of beta 0, with samples."""

    def write(name: str, beta: int) -> Path:
        path = leave(
            name, [f"regularizer.beta={beta}"], metrics={"modes": 3.0 + beta, "modes_stderr": 0.1}
        )
        snapshots.write(path, None, points())
        for step in (0, 10):
            snapshots.write(path, step, points(seed=step)[None])
        return path

    return write


def test_a_report_of_a_sweep_shows_what_every_setting_made(left: Callable[..., Path]) -> None:
    folder = left("sweep/a", 0).parent
    left("sweep/b", 1)
    found = written(folder)
    assert [axes.get_title(loc="left") for axes in found["samples"].axes] == [
        "regularizer.beta=0",
        "regularizer.beta=1",
    ]
    assert (folder / "figures" / "samples.png").is_file()
    assert not [*folder.rglob("*.gif")]


def test_a_report_of_one_run_has_the_film_of_its_training(left: Callable[..., Path]) -> None:
    folder = left("a", 0)
    before = json.loads((folder / "result.json").read_text())
    written(folder)
    assert frames(folder / "figures" / "training.gif") == 2
    assert json.loads((folder / "result.json").read_text()) == before


def test_a_report_of_runs_without_samples_has_no_gallery(leave: Callable[..., Path]) -> None:
    settings: dict[str, Any] = {"metrics": {"modes": 3.0, "modes_stderr": 0.1}}
    folder = leave("sweep/a", ["x=0"], **settings).parent
    leave("sweep/b", ["x=1"], **settings)
    assert "samples" not in written(folder)
