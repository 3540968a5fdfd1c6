"""Every option of the groups of estimation runs through the launcher with few steps."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import run

Command = Callable[..., Any]
CONF = Path(run.__file__).parent / "conf"
ROWS_ALONE = ["binned", "gaussian", "ksg"]
LOSSES = ["n_pair", "triplet"]
MODES = [
    "gaussians_25",
    "standardised_gaussians_25",
    "ring",
    "two_spirals",
    "three_spirals",
    "stacked_mnist",
]
CLASSES = ["mnist", "cifar10_images", "cluttered_mnist", "occluded_cifar10", "bit_patterns"]
LABELLED = ["table", "bivariate", "louppe", "mass_peak", "protected_group"]
"""Data sets without pairs."""
IMAGES = ["critic.hidden=8", "critic.channels=[4]", "dataset.dim=12"]
SETTINGS = {
    "convolutional": [*IMAGES, "critic.shape_x=[1,3,4]", "critic.shape_y=[1,3,4]"],
    "separable_convolutional": [*IMAGES, "critic.shape_x=[1,3,4]", "critic.shape_y=[2,3,2]"],
    "semi_convolutional": [*IMAGES, "critic.shape=[1,3,4]"],
    "swiss_roll": ["dataset.base.dim=1"],
}
"""Overrides that an option needs in addition to its name."""


def options(group: str, *others: str) -> list[str]:
    return sorted({path.stem for path in (CONF / group).glob("*.yaml")} - set(others))


def metrics(command: Command, *arguments: str) -> dict[str, Any]:
    """The metrics of a successful run."""
    ended = command("name=a", "runner.eval_every=4", *arguments)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("I(X;Y) = ")
    result = json.loads(Path("outputs/runs/a/result.json").read_text())
    assert result["status"] == "completed"
    read = result["metrics"]
    assert math.isfinite(read["mi"])
    assert math.isfinite(read["mi_stderr"])
    assert read["mi_stderr"] >= 0
    return read


@pytest.mark.parametrize("estimator", options("estimator", *LOSSES))
def test_every_estimator_runs_by_its_name_alone(estimator: str, command: Command) -> None:
    read = metrics(command, f"estimator={estimator}")
    assert read["mi_true"] == pytest.approx(2)
    assert read["mi_stderr"] > 0


@pytest.mark.parametrize("estimator", LOSSES)
@pytest.mark.parametrize("runner", ["estimate", "staircase"])
def test_a_loss_is_never_reported_as_an_estimate(
    estimator: str, runner: str, command: Command
) -> None:
    dataset = ["dataset=staircase", "runner=staircase"] if runner == "staircase" else []
    ended = command("name=a", f"estimator={estimator}", *dataset)
    assert ended.code == 2
    assert ended.err.startswith("refused: estimator must give nats, got ")


@pytest.mark.parametrize("critic", options("critic", "none"))
def test_every_critic_runs(critic: str, command: Command) -> None:
    metrics(command, f"critic={critic}", *SETTINGS.get(critic, []))


NO_PAIRS = [*MODES, *CLASSES, *LABELLED]


@pytest.mark.parametrize(
    "dataset", options("dataset", "arrays", "staircase", "mnist_halves", "cifar10", *NO_PAIRS)
)
def test_every_data_set_that_is_sampled_runs_and_knows_its_truth(
    dataset: str, command: Command
) -> None:
    assert metrics(command, f"dataset={dataset}")["mi_true"] >= 0


@pytest.mark.parametrize("each", options("dataset/map"))
def test_every_map_runs_and_leaves_the_truth_as_it_is(each: str, command: Command) -> None:
    read = metrics(
        command, "dataset=transformed", f"dataset/map@dataset.x_map={each}", *SETTINGS.get(each, [])
    )
    assert read["mi_true"] == pytest.approx(2)


@pytest.mark.parametrize("baseline", options("estimator/baseline"))
def test_every_baseline_runs(baseline: str, command: Command) -> None:
    metrics(command, "estimator=tuba", f"estimator/baseline={baseline}")


@pytest.mark.parametrize("estimator", ROWS_ALONE)
def test_replicates_of_an_estimator_of_rows_read_rows_of_their_own(
    estimator: str, command: Command
) -> None:
    weak = ["dataset.mutual_information=0.5", "runner.eval_batch_size=256"]
    read = metrics(command, f"estimator={estimator}", "replicates=3", *weak)
    assert len(set(read["mi_replicates"])) == 3
    assert read["stderr_of"] == "replicates"


@pytest.mark.parametrize("estimator", ROWS_ALONE)
def test_an_estimator_of_rows_reads_arrays_too(estimator: str, command: Command) -> None:
    x = np.random.default_rng(0).normal(size=(80, 2))
    np.savez("pairs.npz", x=x, y=x**3 + np.random.default_rng(1).normal(size=x.shape))
    assert (
        metrics(command, f"estimator={estimator}", "dataset=arrays", "dataset.path=pairs.npz")[
            "mi_true"
        ]
        is None
    )
