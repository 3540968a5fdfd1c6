"""The information plane: known informations are read correctly, violations are counted, and runs
resume.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.images.bit_patterns import BitPatterns
from infobound.estimators.base import SampleEstimate
from infobound.estimators.binned import Binned
from infobound.estimators.infonce import InfoNCE
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.models.critics.dense import Separable
from infobound.models.encoders.networks import MLP
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.information_plane.layer_pairs import LayerPairs, by_densities
from infobound.runners.information_plane.reading import violation
from infobound.runners.information_plane.runner import InformationPlane
from infobound.runners.information_plane.settings import Course
from infobound.runners.runs.metrics import Quantity
from infobound.runners.runs.records import InMemory
from infobound.runners.runs.written import Written
from tests.settings import TRAINING, flat

Command = Callable[..., Any]
BINNED = Binned(bins=30, edges="width", miller_madow=False)
ESTIMATES: dict[str, Any] = {
    "estimator": BINNED,
    "critic": None,
    "optimizer": partial(torch.optim.Adam, lr=1e-2),
    "samples": 2,
    "steps": 5,
    "batch_size": 16,
    "average": 0.9,
    "eval_batches": 2,
    "eval_batch_size": 64,
}
CRITIC: dict[str, Any] = {
    "estimator": InfoNCE(),
    "critic": partial(Separable, hidden=[16], embed=8, activation="ReLU"),
}
DATASET = BitPatterns(6, 4, 0.25, 0)
SETTINGS: dict[str, Any] = {
    **TRAINING,
    "dataset": DATASET,
    "optimizer": partial(torch.optim.Adam, lr=1e-2),
    "epochs": 3,
    "batch_size": 12,
    "readings": [2],
    "inputs": "all",
    "paths": 4,
    "steps": None,
    "log_every": 5,
    "eval_every": None,
}


def model(noise: float = 0.1) -> Callable[..., LayeredMLP]:
    return partial(LayeredMLP, hidden=[5, 3], activation="Tanh", noise=noise)


def plane(
    noise: float = 0.1, estimates: dict[str, Any] | None = None, **changes: Any
) -> InformationPlane:
    read = flat(FreshEstimates, {**ESTIMATES, **(estimates or {})})
    settings = {**SETTINGS, "model": model(noise), "estimates": read, **changes}
    return flat(InformationPlane, settings)


def metrics(*arguments: Any, **changes: Any) -> Written:
    return plane(*arguments, **changes).prepare()(InMemory()).metrics


KINDS: dict[str, dict[str, Any]] = {
    "bins": {"noise": 0.0},
    "bins of noise": {"noise": 0.2, "paths": 0},
    "by a critic": {"estimates": CRITIC, "inputs": "test"},
}
every_kind = pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)


@every_kind
def test_copies_do_not_depend_on_the_number_of_other_copies(changes: dict[str, Any]) -> None:
    alone, beside = (metrics(replicates=copies, readings=[], **changes) for copies in (1, 2))
    names = [name for name in alone if f"{name}_replicates" in alone]
    assert {"error", "mi_input_1", "mi_label_3"} <= {*names}
    for name in names:
        assert alone[name] == pytest.approx(beside[f"{name}_replicates"][0], rel=2e-2, abs=2e-2), (
            name
        )
    assert (
        beside["dpi_violation"]
        >= max(
            beside[f"mi_{side}_{later}_replicates"][copy]
            - beside[f"mi_{side}_{later - 1}_replicates"][copy]
            for side in ("input", "label")
            for later in (2, 3)
            for copy in (0, 1)
        )
        - 1e-6
    )
    assert (alone["stderr_of"], beside["stderr_of"]) == (
        "test rows by influence values",
        "replicates",
    )
    assert ("mi_input_1_reference" in alone) == (changes is KINDS["by a critic"])


@every_kind
def test_a_resumed_run_is_the_same(changes: dict[str, Any]) -> None:
    whole, begun, resumed = (plane(replicates=2, **changes).task() for _ in range(3))
    for task in (whole, begun):
        for _ in range(4):
            task.step()
        assert task.evaluate(4) == {}
    resumed.load(begun.state())
    for _ in range(4):
        torch.testing.assert_close(whole.step(), resumed.step(), rtol=0, atol=0)
    assert whole.evaluate(12) == resumed.evaluate(12) != {}
    assert whole.read(12) == resumed.read(12)


def test_the_worst_violation_of_all_readings_outlives_a_resumed_run() -> None:
    """With two bins, later layers have the largest excess in the middle of this training. A run
    without remaining steps reads the last layers again, and keeps the earlier violations.
    """
    coarse = {"estimator": Binned(bins=2, edges="width", miller_madow=False)}
    begun, resumed = (plane(0.0, coarse).task() for _ in range(2))
    readings = {}
    for step in range(1, 13):
        begun.step()
        readings[step] = begun.evaluate(step)
    resumed.load(begun.state())
    found = resumed.read(12)
    for name in ("dpi_violation", "dpi_violation_errors"):
        assert found[name] == readings[8][name] != readings[12][name]
    assert found["mi_label_3"] == readings[12]["mi_label_3"]
    assert begun.read(12) == found


@every_kind
def test_reading_does_not_change_the_training(changes: dict[str, Any]) -> None:
    read, unread = (plane(**changes).task() for _ in range(2))
    for _ in range(3):
        read.evaluate(0)
        torch.testing.assert_close(read.step(), unread.step(), rtol=0, atol=0)


def test_bins_of_a_layer_without_noise_tell_the_entropy_of_their_cells() -> None:
    """The entropy is counted from equal cells, which are a function of the input."""
    task = plane(0.0).task()
    network = task.networks.networks.copy(0)
    seen, labels = every_example()
    found = task.evaluate(0)
    for index, layer in enumerate(network(seen)[1:], 1):
        low, high = layer.aminmax(dim=0)
        cells = ((layer - low) / (high - low) * 30).floor().clamp(max=29)
        entropies = [entropy(cells), *(entropy(cells[labels == label]) for label in (0, 1))]
        of_input, of_label = found[f"mi_input_{index}"], found[f"mi_label_{index}"]
        assert isinstance(of_input, Quantity)
        assert isinstance(of_label, Quantity)
        assert of_input.value == pytest.approx(entropies[0], abs=0.03)
        assert of_label.value == pytest.approx(entropies[0] - sum(entropies[1:]) / 2, abs=0.03)


def every_example() -> tuple[Tensor, Tensor]:
    """The inputs of the data set as the network sees them, and their labels."""
    parts = zip(DATASET.train_images, DATASET.test_images, strict=True)
    images, labels = (torch.cat(each) for each in parts)
    return DATASET.seen(images, None), labels


def entropy(rows: Tensor) -> float:
    shares = rows.unique(dim=0, return_counts=True)[1].double() / len(rows)
    return -(shares * shares.log()).sum().item()


def line(noise: float) -> LayeredMLP:
    """A network x -> x -> x with one unit each, linear and without biases."""
    made = LayeredMLP((1,), 2, hidden=[1, 1], activation="PReLU", noise=noise)
    for name, each in made.named_parameters():
        torch.nn.init.constant_(each, 0.0 if name.endswith("bias") else 1.0)
    return made


def test_densities_tell_the_information_of_a_line_of_noisy_layers() -> None:
    """Two inputs at -1 and 1 through layers that add noise of deviations s and s sqrt(2): the
    binary Gaussian channel.
    """
    seen, labels, std = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 0.8
    found = by_densities(line(std), seen, labels, 4000, 2000, torch.Generator().manual_seed(0))
    for (of_input, of_label), deviation in zip(found, (std, std * math.sqrt(2)), strict=False):
        t = torch.linspace(-12, 12, 20001, dtype=torch.float64)
        density = (-(t - 1).square() / 2 / deviation**2).exp() / math.sqrt(2 * math.pi) / deviation
        exact = (
            (density * (math.log(2) - torch.nn.functional.softplus(-2 * t / deviation**2)))
            .sum()
            .item()
            * 24
            / 20000
        )
        assert of_input.value == pytest.approx(exact, abs=4 * of_input.stderr + 1e-3)
        assert of_input.value == pytest.approx(of_label.value, abs=1e-9)
        assert 0 < of_input.stderr < 0.01


def test_paths_raise_the_reference_towards_the_truth() -> None:
    seen, labels = every_example()
    torch.manual_seed(0)
    made = model(0.2)((6,), 2)
    few, many = (
        by_densities(made, seen, labels, 20, paths, torch.Generator().manual_seed(1))
        for paths in (2, 200)
    )
    assert few[0][0].value == pytest.approx(many[0][0].value, abs=0.05), (
        "the first layer has one path"
    )
    assert few[1][0].value < many[1][0].value - 0.1 < math.log(64)
    values = [each.value for each, _ in many]
    assert values == sorted(values, reverse=True)


def test_a_critic_reads_what_the_densities_say() -> None:
    torch.manual_seed(0)
    made = model(0.5)((6,), 2)
    seen, labels = every_example()
    known = by_densities(made, seen, labels, 20, 100, torch.Generator().manual_seed(0))
    wide = partial(Separable, hidden=[64], embed=16, activation="ReLU")
    learning = {
        "critic": wide,
        "steps": 250,
        "batch_size": 64,
        "average": 0.95,
        "eval_batch_size": 512,
    }
    estimates = flat(FreshEstimates, {**ESTIMATES, **CRITIC, **learning})
    for index in (0, 1):
        read = estimates.read(LayerPairs(seen, seen, made, index), 0)
        assert -0.25 < read.value - known[index][0].value < 0.05


def test_pairs_have_fresh_noise_in_every_layer() -> None:
    seen = torch.ones(1, 1)
    for index, deviation in enumerate((0.5, math.sqrt(0.25 + 0.25), 0.5)):
        pairs = LayerPairs(seen, seen, line(0.5), index)
        x, y = pairs.sample(4000, torch.Generator().manual_seed(0))
        assert (x == 1).all()
        assert y.shape == (4000, pairs.dim_y)
        assert y[:, 0].std().item() == pytest.approx(deviation, rel=0.05)
        assert len(pairs.each(3, torch.Generator())[0]) == 3
    assert len(LayerPairs(seen, seen, line(0.0), 0).each(3, torch.Generator())[0]) == 1


def test_a_violation_is_what_any_layer_has_more_than_one_before_it() -> None:
    falling = [SampleEstimate(2.0, 0.1), SampleEstimate(1.0, 0.3), SampleEstimate(0.5, 0.1)]
    assert violation(falling) == (pytest.approx(-0.5), pytest.approx(-0.5 / math.hypot(0.3, 0.1)))
    nats, errors = violation([*falling, SampleEstimate(0.9, 0.1)])
    assert (nats, errors) == (pytest.approx(0.4), pytest.approx(0.4 / math.hypot(0.1, 0.1)))
    assert violation([SampleEstimate(1.0, 0.0)] * 2) == (0, 0)
    assert violation([SampleEstimate(1.0, 0.0), SampleEstimate(1.1, 0.0)])[1] > 1e4


@pytest.mark.parametrize(
    ("readings", "due"),
    [(1, [0, 1, 100]), (3, [0, 1, 10, 100]), ([7, 3], [0, 3, 7, 100]), ([], [0, 100])],
)
def test_readings_are_spaced_evenly_by_the_logarithm_or_listed(
    readings: list[int] | int, due: list[int]
) -> None:
    assert sorted(Course(epochs=100, readings=readings).due) == due


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": object()},
            "dataset must have labelled examples, got object; use dataset=bit_patterns",
        ),
        (
            {"model": None},
            ("model must be a network that returns its layers, got none; use model=layered_mlp"),
        ),
        (
            {"model": partial(MLP, hidden=[3], outputs=2, activation="ReLU")},
            "model must be a network that returns its layers, got MLP",
        ),
        ({"steps": 5}, "steps must be null for an information plane, got 5; use runner.epochs"),
        ({"eval_every": 5}, "eval_every must be null for an information plane, got 5"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"paths": -1}, "paths must be at least 0, got -1"),
        ({"estimates": {"samples": 1}}, "samples must be at least 2, got 1"),
        ({"readings": 0}, "readings must be a positive number, or a list of epochs, got 0"),
        ({"readings": [4]}, r"readings must be epochs from 0 to 3, got \[4\]"),
        ({"batch_size": 60}, "batch_size must not exceed the 48 training rows, got 60; use 32"),
        ({"estimates": {"estimator": InfoNCE()}}, "critic must be one that gives scores, got none"),
        ({"estimates": {**CRITIC, "estimator": BINNED}}, "critic must be none for Binned"),
        (
            {"model": partial(LayeredMLP, hidden=[], activation="Tanh", noise=0.1)},
            "hidden must list at least one positive",
        ),
        ({"model": model(-0.1)}, "noise must be 0 or more and finite, got -0.1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        plane(**changes).prepare()


@pytest.mark.parametrize(
    "arguments",
    [
        ["experiment=information_plane_binned", "critic=none", "replicates=2"],
        ["experiment=information_plane", "runner.estimates.steps=3", "runner.paths=2"],
        ["estimator=ksg", "critic=none", "runner.paths=0"],
    ],
)
def test_the_launcher_draws_the_plane(arguments: list[str], command: Command) -> None:
    small = [
        "runner=information_plane",
        "dataset=bit_patterns",
        "dataset.bits=5",
        "runner.epochs=2",
        "runner.batch_size=8",
        "runner.readings=[1]",
    ]
    small += [
        "model.hidden=[4]",
        "runner.estimates.batch_size=8",
        "runner.estimates.eval_batch_size=16",
    ]
    ended = command(*arguments, *small, "name=a")
    assert ended.code == 0, ended.err
    assert "I(X;T) from the first layer to the last: " in ended.out
    result = json.loads(Path("outputs/runs/a/result.json").read_text())
    assert result["score"] == result["metrics"]["mi_label_2"]
    assert Path("outputs/runs/a/figures/plane.png").is_file()
    lines = [
        json.loads(line) for line in Path("outputs/runs/a/metrics.jsonl").read_text().splitlines()
    ]
    assert [line["epoch"] for line in lines if line["split"] == "validation"] == [0, 1, 2]
