"""Analyses of trained classifiers: rates by layer, information maps, total correlation, and
networks of other runs.
"""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled
from infobound.runners.classify import figures as information_plots
from infobound.runners.classify.information_maps import (
    InformationMaps,
    above_least,
    in_boxes,
    within,
)
from infobound.runners.classify.nuisance import recovered
from infobound.runners.classify.reading import Subject
from infobound.runners.classify.total_correlation import RepresentationCorrelation, of_normal
from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.metrics import Quantity

Command = Callable[..., Any]


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(rows: int, covariance: Tensor) -> Tensor:
    x = torch.randn(rows, len(covariance), generator=source(), dtype=torch.float64)
    return x @ torch.linalg.cholesky(covariance).mT


def alike(dims: int, correlation: float) -> Tensor:
    """Numbers with equal pairwise correlations r: TC = -1/2 [log(1 + (d - 1) r) + (d - 1) log(1 -
    r)].
    """
    return torch.full((dims, dims), correlation, dtype=torch.float64) + (
        1 - correlation
    ) * torch.eye(dims)


@pytest.mark.parametrize(("dims", "correlation"), [(2, 0.0), (5, 0.6), (200, 0.0), (200, 0.3)])
def test_total_correlation_of_normal_numbers_is_the_closed_form(
    dims: int, correlation: float
) -> None:
    """Within four standard errors: the log-ratio of the densities has the variance sum r^2 / 2, and
    at r = 0 the sum of squares of d (d - 1) / 2 sample correlations remains.
    """
    rows = 1500
    scales = torch.linspace(0.1, 30, dims, dtype=torch.float64)
    found = of_normal(normal(rows, alike(dims, correlation)) * scales + 7)
    exact = -(math.log(1 + (dims - 1) * correlation) + (dims - 1) * math.log(1 - correlation)) / 2
    error = dims / rows / 2 + correlation * math.sqrt(dims * (dims - 1) / 2 / rows)
    assert found.nats == pytest.approx(exact, abs=4 * error)
    assert found.sample - found.nats == pytest.approx(dims * (dims - 1) / 4 / rows, rel=0.1)
    assert (found.shrinkage, found.dims) == (0.0, dims)


def test_fewer_rows_than_numbers_are_shrunk_and_say_so() -> None:
    independent, dependent = (of_normal(normal(60, alike(100, each))) for each in (0.0, 0.5))
    assert 0.8 < independent.shrinkage <= 1
    assert 0 < dependent.shrinkage < 0.5
    assert 0 <= independent.nats < 1
    assert dependent.nats == dependent.sample > 10


def test_numbers_that_do_not_vary_are_left_out_and_copies_are_refused() -> None:
    x = normal(100, alike(3, 0.5))
    assert of_normal(torch.cat([x, torch.ones(100, 2)], dim=1)) == of_normal(x)
    with pytest.raises(RunFailed, match="functions of each other"):
        of_normal(torch.cat([x, x[:, :1]], dim=1))
    with pytest.raises(RunFailed, match="not finite"):
        of_normal(x.log())


def values(quantities: Mapping[str, Quantity]) -> dict[str, float]:
    return {name: each.value for name, each in quantities.items()}


class Given(nn.Module):
    """A classifier whose representation is the image."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1), x.flatten(1)


class Plain:
    """Images without any preprocessing."""

    def seen(self, images: Tensor, generator: object) -> Tensor:
        return images


def test_a_representation_is_read_by_its_logarithm() -> None:
    images = normal(800, alike(4, 0.5)).exp().view(-1, 1, 2, 2)
    subject = Subject(Given(), 0, Plain(), Labelled(images, torch.zeros(800)), 0, None)  # pyright: ignore[reportArgumentType]
    found = values(RepresentationCorrelation()(subject).quantities)
    assert found["total_correlation"] == pytest.approx(of_normal(images.log().flatten(1)).nats)
    assert found["total_correlation_per_dimension"] == found["total_correlation"] / 4
    assert found["total_correlation_floored"] == 0
    images[:8] = 0
    found = values(RepresentationCorrelation()(subject).quantities)
    assert found["total_correlation_floored"] == 0.01
    with pytest.raises(
        ValueError, match=r"^total_correlation must be false for .*model\.activation=Softplus"
    ):
        RepresentationCorrelation().check(Given(), images * 0)
    with pytest.raises(
        ValueError,
        match=r"^heat_maps must be 0 for a model whose noise has no rate by place, got 3",
    ):
        InformationMaps(3).check(Given(), images)


@pytest.mark.parametrize("told", [0.0, 1.0])
def test_a_nuisance_is_recovered_as_far_as_it_is_encoded(told: float) -> None:
    """Within four standard errors for 400 test images, of chance if it is not encoded."""
    nuisances = torch.randint(10, (800,), generator=source())
    z = torch.randn(800, 16, generator=source(1)) + told * 20 * torch.eye(16)[nuisances]
    found = recovered(z, nuisances)
    assert found["nuisance_chance"].value == pytest.approx(0.9, abs=4 * 0.015)
    error = found["nuisance_error"]
    assert error.value == pytest.approx(0 if told else 0.9, abs=4 * 0.015)
    assert error.stderr == pytest.approx(math.sqrt(error.value * (1 - error.value) / 400))


def test_a_place_is_in_a_box_if_its_receptive_field_is_centred_there() -> None:
    """For 8 pixels and 4 places, the centres are pixels 0, 2, 4 and 6."""
    inside = within(torch.tensor([[1, 2, 3, 3], [0, 0, 8, 8]]), (4, 4), (8, 8))
    assert inside[0].nonzero().tolist() == [[1, 1], [1, 2]]
    assert inside[1].all()


@pytest.mark.parametrize("kernel", [nn.Conv2d(1, 1, 3, 1, 1), nn.Conv2d(1, 1, 1)], ids=["3", "1"])
def test_receptive_fields_are_centred_as_assumed_for_boxes(kernel: nn.Module) -> None:
    halving = nn.Sequential(kernel, nn.Conv2d(1, 1, 3, 2, 1), kernel, nn.Conv2d(1, 1, 3, 2, 1))
    for part in halving.parameters():
        nn.init.ones_(part)
    x = torch.zeros(1, 1, 32, 32, requires_grad=True)
    halving(x)[0, 0, 4, 3].backward()
    assert x.grad is not None
    rows, columns = (
        x.grad[0, 0].sum(axis).nonzero().flatten().double().mean().item() for axis in (1, 0)
    )
    assert (rows, columns) == (16, 12)


def test_the_share_of_information_in_the_boxes_ignores_the_minimum() -> None:
    maps = torch.full((2, 4, 4), 5.0)
    maps[:, 1, 1] += 3
    maps[:, 3, 3] += 1
    boxes = torch.tensor([[2, 2, 2, 2], [2, 2, 2, 2]])
    found = in_boxes([above_least(maps), above_least(maps * 0)], boxes, (8, 8))
    assert values(found) == pytest.approx(
        {
            "box_information": 1 / 16,  # no information anywhere, so the share of places
            "box_cells": 1 / 16,
            "box_information_1": 0.75,
            "box_information_2": 1 / 16,
        }
    )


def test_a_figure_has_a_row_an_image_and_a_panel_a_layer() -> None:
    boxes = torch.tensor([[0, 1, 4, 4]] * 2)
    figure = information_plots.maps(
        torch.rand(2, 1, 8, 8), torch.rand(2, 4, 4), torch.ones(2, 2, 2), boxes=boxes
    )
    panels = figure.axes
    assert len(panels) == 6
    assert panels[2].images[0].get_extent() == [-2, 6, 6, -2]
    assert [panel.get_title() for panel in panels[::3]] == ["", ""]
    assert panels[5].get_title() == "4 nats"
    assert [patch.get_extents().width > 0 for panel in panels for patch in panel.patches] == [
        True
    ] * 6


def test_rates_of_one_layer_are_not_drawn_by_layer() -> None:
    line = {"step": 0, "split": "validation", "rate": 3.0}
    assert information_plots.rates_by_step([line]) is None
    figure = information_plots.rates_by_step(
        [line | {"rate_1": 1.0, "rate_2": 2.0, "rate_bits": 3.0}] * 2
    )
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_legend().get_texts()] == [  # pyright: ignore[reportOptionalMemberAccess]
        "layer 1, validation",
        "layer 2, validation",
    ]


SOFT = ["model.activation=Softplus", "model.noise.prior=log_normal"]
DIGITS = [
    "dataset=cluttered_mnist",
    "dataset.canvas=32",
    "dataset.number=2",
    "dataset.validation=10",
]
MODEL = ["model=all_cnn_96", "model.channels=[4,6]", "regularizer=information_dropout", *SOFT]
TRAINED = [
    "runner=classify",
    *DIGITS,
    *MODEL,
    "runner.batch_size=8",
    "runner.eval_every=2",
    "runner.steps=4",
]
ANALYSES = ["runner.heat_maps=2", "runner.total_correlation=true"]
LOAD = "runner.load=outputs/runs/a"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the first test leaves the run that all tests load."""
    return tmp_path_factory.mktemp("kept") / "outputs"


@pytest.fixture
def trained(command: Command, data_dir: Path, kept: Path) -> Callable[..., Any]:
    """A command with the settings of the run named a, which has tested its best weights."""

    def call(*arguments: str) -> Any:
        return command(*TRAINED, f"data_dir={data_dir}", "runner.weights=best", *arguments)

    if kept.exists():
        shutil.copytree(kept, "outputs")
        return call
    ended = call("name=a", *ANALYSES)
    assert ended.code == 0, ended.err
    shutil.copytree("outputs", kept)
    return call


def metrics(name: str) -> dict[str, Any]:
    return json.loads(Path(f"outputs/runs/{name}/result.json").read_text())["metrics"]


def test_a_loaded_run_is_tested_as_it_was(trained: Command) -> None:
    ended = trained("name=b", LOAD, *ANALYSES, "runner.average=0.9")
    assert ended.code == 0, ended.err
    assert metrics("b") == metrics("a")
    found = metrics("b")
    assert found["rate"] == pytest.approx(found["rate_1"] + found["rate_2"])
    assert 0 < found["box_cells"] < 1
    assert 0 <= found["box_information"] <= 1
    assert found["total_correlation_shrinkage"] > 0
    lines = [
        json.loads(line) for line in Path("outputs/runs/b/metrics.jsonl").read_text().splitlines()
    ]
    assert [(line["split"], line["step"]) for line in lines] == [("test", 0)]
    assert {path.name for path in Path("outputs/runs/b/figures").iterdir()} == {
        "information.png",
        "rates.png",
    }
    validation = [
        line
        for line in Path("outputs/runs/a/metrics.jsonl").read_text().splitlines()
        if "validation" in line
    ]
    assert all("rate_2" in json.loads(line) for line in validation)


def test_a_loaded_run_is_trained_on_from_the_weights_that_it_tested(trained: Command) -> None:
    """With a tiny learning rate they stay the same, except for the averages of batch norms, which
    are estimated again.
    """
    still = ["optimizer.lr=1e-12", "runner.steps=2", "seed=0"]
    ended = trained("name=b", LOAD, "runner.train_on=true", *still)
    assert ended.code == 0, ended.err
    assert metrics("b")["cross_entropy"] == pytest.approx(metrics("a")["cross_entropy"], rel=1e-4)
    result = json.loads(Path("outputs/runs/b/result.json").read_text())
    assert result["steps"] == 2
    assert (
        trained(
            "name=c", LOAD, "runner.train_on=true", "runner.steps=2", "runner.weights=last"
        ).code
        == 0
    )
    assert metrics("c")["cross_entropy"] != pytest.approx(metrics("a")["cross_entropy"], rel=1e-4)


def test_a_run_that_does_not_fit_is_refused_with_its_settings(
    trained: Command, command: Command
) -> None:
    for arguments, words in [
        (
            ["runner.load=nowhere"],
            "runner.load must name the folder of a run, but there is no result.json in nowhere",
        ),
        (["replicates=2"], "replicates must be 1, as in outputs/runs/a, got 2; use replicates=1"),
        (
            ["model.channels=[4,5]"],
            (
                "runner.load must name a run with the networks of these settings, but those of"
                " outputs/runs/a are built differently; use only the run's own settings"
            ),
        ),
        (
            ["model.activation=ReLU", "runner.total_correlation=false"],
            "'model.channels=[4,6]' regularizer=information_dropout model.activation=Softplus",
        ),
        (
            ["model.noise.max_alpha=0.1"],
            "those of outputs/runs/a are built differently",
        ),
        (
            ["runner.load=null", "runner.train_on=true"],
            "runner.train_on must be false if nothing is loaded, got true",
        ),
    ]:
        ended = trained("name=b", LOAD, *arguments)
        assert ended.code == 2
        assert words in ended.err
        assert ended.err.count("\n") == 1
        assert not Path("outputs/runs/b").exists()
    assert command("name=other").code == 0
    ended = trained("name=b", "runner.load=outputs/runs/other")
    assert (ended.code, "with trained classifiers" in ended.err) == (2, True)
    Path("outputs/runs/a/result.json").write_text('{"status": "interrupted"}')
    ended = trained("name=b", LOAD)
    assert ended.code == 2
    assert (
        "runner.load must name a completed run, but outputs/runs/a is interrupted; complete it"
        " first" in ended.err
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["runner.total_correlation=true", "model.activation=ReLU"],
            "runner.total_correlation must be false for a represen",
        ),
        (
            ["runner.heat_maps=1", "model=mlp_classifier"],
            "runner.heat_maps must be 0 for a model whose noise has no rate by place",
        ),
        (["runner.heat_maps=-1"], "runner.heat_maps must be at least 0, got -1"),
    ],
)
def test_an_analysis_that_cannot_be_made_is_refused_before_training(
    arguments: list[str], words: str, command: Command, data_dir: Path
) -> None:
    model = [each for each in MODEL if "mlp" not in str(arguments) or "channels" not in each]
    ended = command(
        "runner=classify",
        *DIGITS,
        *model,
        "runner.batch_size=8",
        f"data_dir={data_dir}",
        *arguments,
    )
    assert ended.code == 2
    assert words in ended.err
