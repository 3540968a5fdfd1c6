"""Classifying: the loss, the choice and the reading of weights, and exact resuming."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Labelled, held_back
from infobound.datasets.images.mnist_images import MnistImages
from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.estimators.infonce import InfoNCE
from infobound.models.classifiers.all_convolutional import AllConvolutional
from infobound.models.classifiers.mlp_classifier import MLPClassifier
from infobound.models.critics.dense import Separable
from infobound.models.noise.gaussian_bottleneck import GaussianBottleneck
from infobound.models.noise.information_dropout import InformationDropout
from infobound.models.noise.interface import Noiseless
from infobound.regularizers.mine_bottleneck import MineBottleneck
from infobound.regularizers.rate import Rate
from infobound.runners.classify.calibration import calibration_error
from infobound.runners.classify.runner import Classify
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.runs.records import InMemory
from infobound.runners.runs.written import Written
from infobound.runners.training.batch_norms import estimate_anew
from infobound.runners.training.label_loss import LabelLoss
from infobound.runners.training.schedule import Drops, Schedule
from tests.settings import TRAINING, flat

Command = Callable[..., Any]
GAUSSIAN = partial(GaussianBottleneck, shift=-1.0)
INFORMATION = partial(InformationDropout, prior="log_normal", max_alpha=0.7)
MLP: dict[str, Any] = {
    "hidden": [16],
    "bottleneck": 8,
    "activation": "ReLU",
    "additive": 0.0,
    "propagated": 0,
}
CNN: dict[str, Any] = {
    "channels": [4],
    "filter_percentage": 1.0,
    "activation": "Softplus",
    "input_keep": 0.8,
    "channels_last": False,
}
MINE: dict[str, Any] = {
    "estimator": InfoNCE(),
    "critic": partial(Separable, hidden=[16], embed=8, activation="ReLU"),
    "optimizer": partial(torch.optim.Adam, lr=5e-3),
    "beta": 1.0,
    "critic_steps": 1,
    "until": None,
    "clip": False,
}


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int, seed: int) -> Labelled:
    """Blank images with a bright quarter, which is the label, and dim noise."""
    labels = torch.arange(count) % 4
    x = torch.randint(0, 100, (count, 1, 6, 6), generator=source(seed), dtype=torch.uint8)
    for index, label in enumerate(labels.tolist()):
        x[
            index, 0, 3 * (label // 2) : 3 * (label // 2) + 3, 3 * (label % 2) : 3 * (label % 2) + 3
        ] += 60
    return Labelled(x, labels)


def dataset(validation: int = 40) -> MnistImages:
    return MnistImages(*held_back(images(200, 0), validation), images(100, 1))


SETTINGS: dict[str, Any] = {
    **TRAINING,
    "dataset": dataset(),
    "model": partial(MLPClassifier, noise=Noiseless, **MLP),
    "optimizer": partial(torch.optim.Adam, lr=1e-2),
    "steps": 6,
    "batch_size": 20,
    "log_every": 2,
    "eval_every": 3,
}


def mlp(**changes: Any) -> Callable[..., nn.Module]:
    return partial(MLPClassifier, **{**MLP, "noise": GAUSSIAN, **changes})


def mine(**changes: Any) -> Callable[..., MineBottleneck]:
    return partial(MineBottleneck, **{**MINE, **changes})


def classify(**changes: Any) -> Classify:
    return flat(Classify, {**SETTINGS, **changes})


def metrics(**changes: Any) -> Written:
    return classify(**changes).prepare()(InMemory()).metrics


KINDS: dict[str, dict[str, Any]] = {
    "deterministic": {},
    "smoothed": {"label_smoothing": 0.1, "confidence_penalty": 0.1, "drops": 2, "warmup": 2},
    "variational": {
        "model": mlp(),
        "regularizer": partial(Rate, beta=1e-3),
        "samples": 3,
        "average": 0.9,
    },
    "by a critic": {"model": mlp(), "regularizer": mine(critic_steps=2), "samples": 2},
    "clipped": {
        "model": mlp(noise=Noiseless, additive=0.5, propagated=3),
        "regularizer": mine(clip=True),
        "weights": "best",
    },
    "dropout": {
        "model": partial(AllConvolutional, noise=INFORMATION, **CNN),
        "regularizer": partial(Rate, beta=1e-4),
        "optimizer": partial(
            torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3
        ),
        "weights": "best",
    },
}
every_kind = pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)


@every_kind
def test_copies_do_not_depend_on_the_number_of_other_copies(changes: dict[str, Any]) -> None:
    alone, beside = (metrics(replicates=copies, **changes) for copies in (1, 3))
    names = ["error", "cross_entropy", "ece", "mi_labels"]
    names += [name for name in ("rate", "mi") if f"{name}_replicates" in alone]
    for name in names:
        assert alone[name] == pytest.approx(beside[f"{name}_replicates"][0], rel=1e-3, abs=1e-3)
    assert len({*beside["cross_entropy_replicates"]}) == 3
    assert (alone["stderr_of"], beside["stderr_of"]) == ("test images", "replicates")
    assert alone["error_stderr"] == pytest.approx(
        math.sqrt(alone["error"] * (1 - alone["error"]) / 100)
    )
    assert ("rate" in alone) == (
        "model" in changes
        and "clip" not in str(changes["model"])
        and changes is not KINDS["clipped"]
    )
    assert ("mi" in alone) == (changes in (KINDS["by a critic"], KINDS["clipped"]))


@every_kind
def test_a_resumed_run_is_the_same(changes: dict[str, Any]) -> None:
    whole, begun, resumed = (classify(replicates=2, **changes).task() for _ in range(3))
    for task in (whole, begun):
        for _ in range(3):
            task.step()
        task.evaluate(3)
    resumed.load(begun.state())
    for _ in range(2):
        torch.testing.assert_close(whole.step(), resumed.step(), rtol=0, atol=0)
    assert whole.evaluate(5) == resumed.evaluate(5)
    assert whole.read(5) == resumed.read(5)


@every_kind
def test_reading_does_not_change_the_training(changes: dict[str, Any]) -> None:
    read, unread = (classify(**changes).task() for _ in range(2))
    for _ in range(3):
        read.evaluate(0)
        read.read(5)
        torch.testing.assert_close(read.step(), unread.step(), rtol=0, atol=0)


def test_rates_and_losses_have_full_precision_in_half_precision_training() -> None:
    task = classify(precision="bf16", **KINDS["dropout"]).task()
    for _ in range(3):
        told = task.step()
        assert {each.dtype for each in told.values()} == {torch.float32}
        assert all(each.isfinite().all() for each in told.values())
    whole = classify(**KINDS["dropout"]).task().step()
    torch.testing.assert_close(
        classify(precision="bf16", **KINDS["dropout"]).task().step(), whole, rtol=0.03, atol=0
    )


def test_classifiers_learn_and_a_stronger_penalty_leaves_less_information() -> None:
    """A stronger penalty leaves less information, by the rate and by a critic with the same
    noise.
    """
    steps: dict[str, Any] = {"steps": 80, "eval_every": 80, "model": mlp()}
    rates = [metrics(regularizer=partial(Rate, beta=beta), **steps) for beta in (1e-3, 1.0)]
    assert rates[0]["error"] < 0.05
    assert rates[0]["rate"] > 2 * rates[1]["rate"] > 0
    assert rates[0]["rate_bits"] == pytest.approx(rates[0]["rate"] / math.log(2))
    read = [metrics(regularizer=mine(beta=beta), samples=1, **steps)["mi"] for beta in (0.0, 3.0)]
    assert read[0] > read[1] + 0.3


def test_a_critic_reads_representations_with_noise_whatever_is_tested() -> None:
    """Without noise the information is infinite."""
    silent, noisy = (
        metrics(model=mlp(), regularizer=mine(), samples=samples) for samples in (0, 2)
    )
    assert silent["mi"] == noisy["mi"]
    assert silent["cross_entropy"] != noisy["cross_entropy"]


def test_the_critic_maximises_and_the_encoder_minimises() -> None:
    """In one step of plain SGD, the encoder moves along -(g_CE + beta g_I) and the critic along
    +g_I, each with the other one fixed.
    """
    sgd = partial(torch.optim.SGD, lr=0.1)
    task = classify(model=mlp(), regularizer=mine(optimizer=sgd, beta=2.0), optimizer=sgd).task()
    regularisation = task.regularisation
    assert regularisation is not None
    encoder = task.classifiers.networks
    x, labels = task.batches.draw()
    logits, *made = task.classifiers(x)
    seen = {"input": x.flatten(2), "representation": made[0]}
    loss, information = LabelLoss(0, 0)(logits, labels), regularisation.terms(seen).penalty
    wanted = torch.cat(
        [part.flatten() for part in encoder.gradient(loss + 2 * information, again=True)]
    )
    before = encoder.parameters.detach().clone(), of_critic(regularisation)
    regularisation.lead(task.classifiers, loss, seen)
    torch.testing.assert_close(encoder.parameters.detach(), before[0] - 0.1 * wanted)
    assert torch.equal(of_critic(regularisation), before[1])
    held = {name: each.detach() for name, each in seen.items()}
    earlier = regularisation.terms(held).value.item()
    for _ in range(20):
        regularisation.fit(lambda: held)
    assert regularisation.terms(held).value.item() > earlier
    assert not torch.equal(of_critic(regularisation), before[1])


def of_critic(regularisation: Regularisation) -> Tensor:
    """The critic's weights of the only copy."""
    return nn.utils.parameters_to_vector(regularisation.penalty(0).parameters()).clone()


def test_weight_decay_spares_biases_and_normalisation() -> None:
    """Without a gradient, only weights with decay move: matrices and kernels."""
    decayed = partial(torch.optim.SGD, lr=0.5, weight_decay=0.1)
    for replicates in (1, 2):
        changes: dict[str, Any] = {"model": KINDS["dropout"]["model"], "replicates": replicates}
        player = classify(optimizer=decayed, **changes).task().classifiers
        before = player.networks.weights()
        player.networks.follow([torch.zeros_like(player.networks.parameters)], player.optimizer)
        for name, values in player.networks.weights().items():
            share = 0.95 if values.ndim >= 3 else 1.0
            torch.testing.assert_close(
                values, before[name] * share if values.is_floating_point() else before[name]
            )


def test_the_best_weights_are_those_of_the_least_validation_error() -> None:
    """Training diverges after the third step, where the learning rate rises a thousandfold."""
    task = classify(weights="best", optimizer=partial(torch.optim.Adam, lr=3e-2)).task()
    errors = [task.evaluate(0)["error"].value]
    for step in range(1, 30):
        task.step()
        errors.append(task.evaluate(step)["error"].value)
    classifiers = task.classifiers
    for group in classifiers.optimizer.param_groups:
        group["lr"] = 30.0
    for step in range(30, 33):
        away = -classifiers(task.batches.draw()[0])[0].sum()
        classifiers.networks.descend(away, classifiers.optimizer)
        errors.append(task.evaluate(step)["error"].value)
    assert errors[-1] > min(errors) + 0.2
    assert task.read(32)["error"].value < min(errors) + 0.15


def test_exactly_the_training_images_are_trained_on() -> None:
    task = classify().task()
    drawn = [task.batches.draw() for _ in range(8)]
    x = torch.cat([images[0] for images, _ in drawn])
    train = SETTINGS["dataset"].train_images
    assert len(train.labels) == 160
    seen = SETTINGS["dataset"].seen(train.images, None)
    order = torch.cdist(x.flatten(1), seen.flatten(1)).argmin(1)
    assert sorted(order.tolist()) == [*range(160)]
    torch.testing.assert_close(x, seen[order])
    assert torch.cat([labels[0] for _, labels in drawn]).equal(train.labels[order])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothed_cross_entropy_is_pytorchs(smoothing: float) -> None:
    logits, labels = (
        torch.randn(3, 7, 5, generator=source()),
        torch.randint(5, (3, 7), generator=source()),
    )
    expected = [
        nn.functional.cross_entropy(*each, label_smoothing=smoothing)
        for each in zip(logits, labels, strict=True)
    ]
    torch.testing.assert_close(LabelLoss(smoothing, 0.0)(logits, labels), torch.stack(expected))


def test_a_confidence_penalty_rewards_entropy() -> None:
    logits, labels = (
        torch.randn(2, 7, 5, generator=source()),
        torch.randint(5, (2, 7), generator=source()),
    )
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean(1)
    torch.testing.assert_close(
        LabelLoss(0, 0.3)(logits, labels), LabelLoss(0, 0)(logits, labels) - 0.3 * entropy
    )


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    """Confidence .9 with accuracy .7, and .6 with .9: half of .2 plus half of .3."""
    labels = torch.zeros(20, dtype=torch.int64)
    sure, unsure = torch.tensor([0.9, 0.1]), torch.tensor([0.6, 0.4])
    predicted = torch.stack([*[sure] * 7, *[sure.flip(0)] * 3, *[unsure] * 9, unsure.flip(0)]).log()
    assert calibration_error(predicted, labels) == pytest.approx(0.25)
    right = torch.eye(2)[labels]
    assert calibration_error(right.log(), labels) == 0


def test_batch_norms_are_estimated_anew_on_all_batches() -> None:
    x = torch.randn(60, 4, generator=source()) * 3 + 2
    module = nn.Sequential(nn.BatchNorm1d(4), nn.ReLU()).eval()
    estimate_anew(module, x.split(20))
    layer = module[0]
    assert isinstance(layer, nn.BatchNorm1d)
    torch.testing.assert_close(layer.running_mean, x.mean(0))
    torch.testing.assert_close(
        layer.running_var, torch.stack([part.var(0) for part in x.split(20)]).mean(0)
    )
    assert not layer.training
    assert layer.momentum == 0.1
    estimate_anew(nn.ReLU(), (pytest.fail("it was read without need") for _ in range(1)))


@pytest.mark.parametrize(
    ("at", "factors"),
    [([2, 5], [1, 1, 0.1, 0.1, 0.1, 0.01]), (2, [1, 1, 0.1, 0.1, 0.01, 0.01]), ([], [1] * 6)],
)
def test_the_rate_drops_after_its_steps(at: list[int] | int, factors: list[float]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=3.0)
    schedule = Schedule(optimizer, 0, None, Drops(at, 0.1))
    for step, factor in enumerate(factors):
        schedule.set(step)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(3 * factor)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": GaussianModes.ring(8, 2.0, 0.02)},
            "dataset must have labelled images, got GaussianModes",
        ),
        ({"model": None}, "model must be a classifier, got none; use model=mlp_classifier"),
        ({"samples": -1}, "samples must be at least 0, got -1"),
        ({"average": 1.0}, "average must be the decay of a moving average"),
        (
            {"dataset": dataset(0), "weights": "best"},
            "weights must be last without held-out validation images",
        ),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, got 1.0"),
        ({"confidence_penalty": -1.0}, "confidence_penalty must be 0 or more, got -1.0"),
        (
            {"drops": [3, 3]},
            r"drops must be increasing steps from 1 on, or one number n for every n steps, got",
        ),
        (
            {"drops": 0},
            "drops must be increasing steps from 1 on, or one number n for every n steps, got 0",
        ),
        ({"drop": 0.0}, "drop must be a factor above 0 and at most 1, got 0.0"),
        ({"batch_size": 400}, "batch_size must not exceed the 160 training rows, got 400; use 128"),
        (
            {"regularizer": partial(Rate, beta=1.0)},
            "beta needs a rate to weigh, but this model has no rate, got 1.0",
        ),
        ({"optimizer": torch.optim.LBFGS}, "optimizer must treat every parameter separately"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_way_out(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        classify(**changes).prepare()


def test_without_validation_images_nothing_is_held_out_but_the_test() -> None:
    record = InMemory()
    classify(dataset=dataset(0)).prepare()(record)
    assert {line["split"] for line in record.history()} == {"train", "test"}


SMALL = ["runner=classify", "dataset.validation=10", "runner.batch_size=8", "runner.eval_every=2"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["regularizer=information_dropout", "model.bottleneck=4"],
        ["regularizer=gaussian_bottleneck", "runner.samples=2", "replicates=2"],
        ["regularizer=binary_dropout", "optimizer=sgd"],
        ["regularizer=mine_bottleneck", "model/noise=gaussian_bottleneck", "estimator=club"],
    ],
)
def test_the_launcher_trains_every_regulariser_by_its_name(
    arguments: list[str], data_dir: Path, command: Command
) -> None:
    few = ["dataset=mnist", "model.hidden=[8]", "runner.steps=4"]
    ended = command(*SMALL, *few, *arguments, "name=a", f"data_dir={data_dir}")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("error ")
    result = json.loads(Path("outputs/runs/a/result.json").read_text())
    assert next(iter(result["metrics"])) == "error"
    assert result["score"] == result["metrics"]["error"]
    assert ("rate" in result["metrics"]) == (arguments[0] != "regularizer=binary_dropout")
    assert ("mi" in result["metrics"]) == (arguments[0] == "regularizer=mine_bottleneck")


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "dataset=cluttered_mnist",
            "dataset.canvas=32",
            "dataset.number=2",
            "model=all_cnn_96",
            "model.channels=[4]",
        ],
        [
            "dataset=cifar10_images",
            "dataset.whiten=false",
            "model=all_cnn_32",
            "model.filter_percentage=0.02",
        ],
        ["dataset=occluded_cifar10", "model=all_cnn_32", "model.filter_percentage=0.02"],
    ],
)
def test_the_launcher_trains_on_every_kind_of_images_and_a_longer_run_continues(
    arguments: list[str], data_dir: Path, command: Command
) -> None:
    for steps in (2, 4):
        ended = command(
            *SMALL, *arguments, "name=a", f"data_dir={data_dir}", f"runner.steps={steps}"
        )
        assert ended.code == 0, ended.err
    assert json.loads(Path("outputs/runs/a/result.json").read_text())["steps"] == 4


DIGITS = ["dataset=mnist", "dataset.validation=10"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["runner=classify", "dataset=ring"],
            "dataset must have labelled images, got GaussianModes; use dataset=mnist",
        ),
        (
            ["runner=classify", *DIGITS, "model=mlp"],
            "model must be a classifier, got MLP; use model=mlp_classifier",
        ),
        (
            ["runner=classify", *DIGITS, "regularizer=gaussian_bottleneck", "regularizer.beta=-1"],
            "regularizer.beta must be 0 or more, got -1",
        ),
        (
            ["regularizer=information_dropout"],
            "regularizer=information_dropout needs a model with noise layers; use runner=classify",
        ),
        (DIGITS, "dataset must be a distribution of pairs or a table of rows, got MnistImages"),
    ],
)
def test_the_launcher_names_the_key_that_does_not_fit(
    arguments: list[str], message: str, data_dir: Path, command: Command
) -> None:
    ended = command(*arguments, "runner.batch_size=8", f"data_dir={data_dir}")
    assert ended.code == 2
    assert ended.err.startswith(f"refused: {message}")
