"""Encoders that maximise a bound: held-out readings, a probe that matches scikit-learn's, resuming,
and refused settings.
"""

import io
import json
import math
import re
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor, nn

from infobound.conf.schema import CONFIGURATIONS
from infobound.datasets.images.image_halves import ImageHalves
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.bounds import infonce
from infobound.estimators.club import CLUB
from infobound.estimators.gaussian import Gaussian
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.js import JS
from infobound.estimators.n_pair import NPair
from infobound.estimators.nwj import NWJ
from infobound.estimators.triplet import Triplet
from infobound.models.adversaries.gan_mlp import Discriminator, Encoder, Generator
from infobound.models.adversaries.interface import Adversaries
from infobound.models.critics.dense import Bilinear, Concat, InnerProduct
from infobound.models.encoders.networks import MLP, Identity, ResidualMLP
from infobound.models.encoders.realnvp import RealNVP
from infobound.runners.adversarial.runner import Adversarial
from infobound.runners.adversarial.task import unevenness
from infobound.runners.critics.feeds import viewed
from infobound.runners.encoders.invertibility import log_conditions, reconstruction_error
from infobound.runners.represent.runner import Represent
from infobound.runners.represent.task import Representing, encoded_critic
from infobound.runners.runs.records import InMemory
from infobound.runners.runs.written import Written
from infobound.runners.training import probes
from tests.settings import TRAINING, flat

Command = Callable[..., Any]
MODELS = [
    path
    for path in sorted((CONFIGURATIONS / "model").glob("*.yaml"))
    if re.match(r"_target_: infobound\.models\.encoders\.", path.read_text())
]
MODEL = partial(MLP, hidden=[16], outputs=8, activation="ReLU")
FLOW = partial(
    RealNVP,
    couplings=3,
    hidden=[16],
    activation="ReLU",
    affine=True,
    least_scale=1e-7,
    deviation=1e-2,
)
CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    **TRAINING,
    "model": MODEL,
    "optimizer": partial(torch.optim.Adam, lr=1e-3),
    "steps": 8,
    "batch_size": 16,
    "log_every": 4,
    "eval_every": 4,
    "probe_every": 4,
    "neighbours": 3,
    "condition_every": None,
    "condition_rows": 2,
}
MLPS = Adversaries(
    *(partial(each, hidden=[8], slope=0.2) for each in (Generator, Discriminator, Encoder))
)
OF_PAIRS: dict[str, Any] = {
    "critic": Bilinear,
    "estimator": InfoNCE(),
    "shared": False,
    "target": None,
    "eval_batch_size": 10,
}
OF_LABELS: dict[str, Any] = {
    "model": FLOW,
    "warm_up": 3,
    "classifier_steps": 2,
    "classifier_speed": 10.0,
}


@pytest.fixture
def halves(data_dir: Path) -> Callable[..., ImageHalves]:
    return lambda noise=0.0, shared=False: ImageHalves.mnist(
        str(data_dir), noise, shared, 0.1, "none", 0
    )


@pytest.fixture
def represent(halves: Callable[..., ImageHalves]) -> Callable[..., Represent]:
    """`represent(estimator=NWJ())` is a runner with small encoders of small MNIST files, with the
    given changes.
    """
    settings = {"dataset": halves(), **SETTINGS, **OF_PAIRS}
    return lambda **changes: flat(Represent, {**settings, **changes})


@pytest.fixture
def adversarial(halves: Callable[..., ImageHalves]) -> Callable[..., Adversarial]:
    settings = {"dataset": halves(), **SETTINGS, **OF_LABELS}
    return lambda **changes: flat(Adversarial, {**settings, **changes})


def metrics(runner: Represent | Adversarial) -> Written:
    return runner.prepare()(InMemory()).metrics


@pytest.mark.parametrize(
    ("estimator", "critic"),
    [
        (InfoNCE(), Bilinear),
        (NWJ(), InnerProduct),
        (JS(), partial(Concat, hidden=[8], activation="ReLU", negatives=None)),
    ],
    ids=["InfoNCE", "NWJ", "JS"],
)
@pytest.mark.parametrize("replicates", [1, 2])
def test_any_estimator_and_critic_train_encoders(
    estimator: Any, critic: Any, replicates: int, represent: Callable[..., Represent]
) -> None:
    read = metrics(represent(estimator=estimator, critic=critic, replicates=replicates))
    assert math.isfinite(read["mi"])
    for name in ("mi", "accuracy", "accuracy_knn"):
        assert len(read[f"{name}_replicates"]) == replicates
        assert read[name] == pytest.approx(np.mean(read[f"{name}_replicates"]))
    assert 0 <= read["accuracy_stderr"] < 0.5
    assert "saga" in read["probe"]
    assert "60 training" in read["probe"]


def test_the_estimate_is_read_on_the_pairs_of_all_test_images(
    represent: Callable[..., Represent],
) -> None:
    runner = represent(eval_batch_size=20)
    task = runner.task()
    assert isinstance(runner.dataset, ImageHalves)
    views = runner.dataset.test_examples
    with torch.no_grad():
        scores = encoded_critic(task.training, 0)(views.x / 255, views.y / 255)
    assert task.read(0)["mi"].value == pytest.approx(infonce(scores).item(), abs=1e-6)


def test_encoders_and_critic_maximise_together(represent: Callable[..., Represent]) -> None:
    task = represent(
        model=partial(MLP, hidden=[], outputs=4, activation="ReLU"), batch_size=60
    ).task()
    before = [parameter.clone() for parameter in encoded_critic(task.training, 0).parameters()]
    values = [task.step()["mi"] for _ in range(60)]
    assert values[-1] > values[0] + 0.5
    assert all(
        not torch.equal(old, new)
        for old, new in zip(before, encoded_critic(task.training, 0).parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("target", "estimator"), [(0.5, NWJ()), (1.5, InfoNCE())], ids=["NWJ", "InfoNCE"]
)
def test_a_target_is_reached_and_kept(
    target: float, estimator: Any, represent: Callable[..., Represent]
) -> None:
    task = represent(target=target, batch_size=60, estimator=estimator).task()
    values = [task.step()["mi"].item() for _ in range(500)]
    assert np.mean(values[-50:]) == pytest.approx(target, abs=0.1)


def test_replicates_do_not_depend_on_the_number_of_other_replicates(
    represent: Callable[..., Represent],
) -> None:
    alone, beside = (metrics(represent(replicates=copies)) for copies in (1, 3))
    assert alone["mi"] == pytest.approx(beside["mi_replicates"][0], abs=1e-3)
    assert len({*beside["mi_replicates"]}) == 3


@pytest.mark.parametrize("shared", [False, True])
def test_the_views_share_an_encoder_on_request(
    shared: bool, represent: Callable[..., Represent]
) -> None:
    critic = encoded_critic(represent(shared=shared).task().training, 0)
    assert (critic.encoder_x is critic.encoder_y) is shared


def test_an_encoder_with_nothing_to_train_reads_what_pixels_do(
    represent: Callable[..., Represent],
) -> None:
    read = metrics(represent(model=Identity, critic=InnerProduct))
    assert read["accuracy"] == read["accuracy_pixels"]
    assert read["reconstruction"] == 0


def test_noise_is_drawn_anew_for_every_copy_and_step(halves: Callable[..., ImageHalves]) -> None:
    views = halves(0.1, True)
    batches = viewed(
        views, batch_size=60, eval_batch_size=10, seed=0, replicates=2, device=CPU
    ).batches
    (x, _), (again, _) = batches.draw(), batches.draw()
    pixels = views.train_examples.x / 255
    noises = [
        seen - pixels[(seen[:, None] - pixels).abs().sum(-1).argmin(dim=1)] for seen in (*x, *again)
    ]
    for noise in noises:
        assert noise.std().item() == pytest.approx(0.1, rel=0.05)
    assert all(one.sub(other).abs().max() > 0.1 for one, other in combinations(noises, 2))


def test_the_linear_probe_is_scikit_learns() -> None:
    source = np.random.default_rng(0)
    train, test = (source.normal(size=(size, 5)).astype("f4") for size in (200, 100))
    labels, test_labels = (
        (each[:, 0] > each[:, 1]) + 2 * (each[:, 2] > 0) for each in (train, test)
    )
    features = probes.scaled(torch.from_numpy(train), torch.from_numpy(test))
    scaler = MinMaxScaler().fit(train)
    for ours, theirs in zip(features, (train, test), strict=True):
        np.testing.assert_allclose(ours.numpy(), scaler.transform(theirs), atol=1e-6)
    split = features[0], torch.from_numpy(labels), features[1], torch.from_numpy(test_labels)
    by_hand = LogisticRegression(solver="saga", C=10, tol=0.1, random_state=0).fit(
        scaler.transform(train), labels
    )
    assert probes.linear_accuracy(*split) == pytest.approx(
        by_hand.score(scaler.transform(test), test_labels), abs=0.011
    )
    for neighbours in (1, 5):
        voters = KNeighborsClassifier(neighbours).fit(features[0].numpy(), labels)
        assert probes.nearest_accuracy(*split, neighbours) == pytest.approx(
            voters.score(features[1].numpy(), test_labels)
        )


@pytest.mark.parametrize("reach", [0.0, 1e-15, 1e-7, 1e-5, 1.0])
def test_a_range_of_rounding_error_is_none_as_for_scikit_learn(reach: float) -> None:
    train = np.linspace(0, reach, 20, dtype="f4")[:, None]
    ours, _ = probes.scaled(torch.from_numpy(train), torch.from_numpy(train))
    np.testing.assert_allclose(ours.numpy(), MinMaxScaler().fit_transform(train), atol=1e-6)
    assert ours.max().item() == pytest.approx(reach if reach < 1e-6 else 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("outputs", [3, 6])
def test_the_condition_number_of_a_linear_encoder_is_its_matrixs(
    outputs: int, dtype: torch.dtype
) -> None:
    encoder = nn.Linear(6, outputs).to(dtype)
    singular = np.linalg.svd(encoder.weight.detach().double().numpy(), compute_uv=False)
    exact = math.log(singular[0] / singular[-1])
    found = log_conditions(encoder, torch.randn(4, 6, dtype=dtype))
    assert found.shape == (4,)
    np.testing.assert_allclose(found.numpy(), exact, rtol=1e-4 if dtype == torch.float32 else 1e-10)


@pytest.mark.parametrize(
    "weight", [torch.zeros(2, 2), torch.ones(2, 2)], ids=["nothing", "one rank"]
)
def test_a_singular_jacobian_reads_a_finite_number(weight: Tensor) -> None:
    encoder = nn.Linear(2, 2)
    encoder.weight.data = weight
    assert log_conditions(encoder, torch.randn(3, 2)).isfinite().all()


def test_percentiles_are_over_the_rows_of_all_copies(represent: Callable[..., Represent]) -> None:
    model = partial(ResidualMLP, layers=2, activation="ReLU", deviation=1e-2)
    read = metrics(represent(model=model, condition_every=4, replicates=2, condition_rows=3))
    assert len(read["log_condition_replicates"]) == 2
    levels = read["log_condition_percentiles"]
    assert levels == sorted(levels)
    assert levels[0] <= read["log_condition"] <= levels[-1]
    assert math.isfinite(read["log_condition_rise"])


def test_an_inverse_reconstructs_its_input_and_its_error_is_reported() -> None:
    torch.manual_seed(0)
    flow, x = FLOW(10).double(), torch.randn(5, 10, dtype=torch.float64)
    with torch.no_grad():
        z = flow(x)
        assert reconstruction_error(flow, x, z) < 1e-12
        assert reconstruction_error(flow, x + 0.1, z) == pytest.approx(0.1)


def test_a_loss_is_read_as_one(represent: Callable[..., Represent]) -> None:
    history = InMemory()
    read = represent(estimator=NPair(), replicates=2).prepare()(history).metrics
    assert read["loss"] > 0
    assert len(read["loss_replicates"]) == 2
    assert not [name for name in read if name.startswith("mi")]
    assert not [line for line in history.history() if "mi" in line]


def test_the_n_pair_loss_trains_as_infonce_does(represent: Callable[..., Represent]) -> None:
    one, other = (
        metrics(represent(estimator=each, critic=InnerProduct)) for each in (NPair(), InfoNCE())
    )
    assert one["loss"] == pytest.approx(one["loss_replicates"][0])
    assert -one["loss"] + math.log(10) == pytest.approx(other["mi"], abs=1e-4)


@pytest.mark.parametrize("replicates", [1, 2])
def test_the_adversary_moves_classifier_alone_and_then_both(
    replicates: int, adversarial: Callable[..., Adversarial]
) -> None:
    task = adversarial(replicates=replicates).task()
    encoder, classifier = (player.networks for player in (task.encoders, task.classifiers))
    at_first = encoder.parameters.clone()
    for _ in range(3):
        task.step()
    assert torch.equal(encoder.parameters, at_first)
    assert classifier.steps == 3
    task.step()
    assert not torch.equal(encoder.parameters, at_first)
    assert (encoder.steps, classifier.steps) == (1, 5)
    rates = [player.optimizer.param_groups[0]["lr"] for player in (task.classifiers, task.encoders)]
    assert rates == pytest.approx([1e-2, 1e-3])


def test_the_rates_of_both_players_fall_to_zero_at_the_last_step(
    adversarial: Callable[..., Adversarial],
) -> None:
    task = adversarial(cosine=True, steps=20, warm_up=4).task()
    rates = []
    for _ in range(20):
        task.step()
        players = task.classifiers, task.encoders
        rates.append([player.optimizer.param_groups[0]["lr"] for player in players])
    for rate, full in zip(zip(*rates, strict=True), (1e-2, 1e-3), strict=True):
        assert [*rate] == sorted(rate, reverse=True)
        assert rate[0] == pytest.approx(full)
        assert 0 < rate[-1] < 0.02 * full


def test_an_encoder_hides_the_labels_and_loses_nothing(
    adversarial: Callable[..., Adversarial],
) -> None:
    task = adversarial(batch_size=60).task()
    for _ in range(30):
        task.learn()
    x, _ = task.batches.draw()
    before = unevenness(task.classifiers(task.encoders(x)))
    for _ in range(30):
        task.hide()
    z = task.encoders(x)
    assert before.item() > unevenness(task.classifiers(z)).item() > math.log(10)
    encoder = task.examiner.reader.encoder(0)
    assert isinstance(encoder, RealNVP)
    assert reconstruction_error(encoder, x[0], z[0]) < 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": CorrelatedGaussians(2, None, 1.0)},
            "dataset must have labelled views, got CorrelatedGaussians",
        ),
        ({"model": None}, "model must be an encoder, got none; use model=mlp"),
        ({"model": MLPS}, "model must be an encoder, got Adversaries; use model=mlp"),
        (
            {"estimator": Gaussian(unbiased=False), "critic": None},
            "estimator must be one that trains a critic, got Gaussian without one",
        ),
        ({"critic": None}, "estimator must be one that trains a critic, got InfoNCE without one"),
        ({"estimator": CLUB()}, "estimator must have one objective for critics"),
        (
            {"estimator": Triplet(margin=0.2), "target": 2.0},
            "target must be null for Triplet, a loss that is not in nats",
        ),
        ({"probe_every": 6}, "probe_every must be a multiple of eval_every, 4, got 6"),
        ({"condition_every": 0}, "condition_every must be a multiple of eval_every"),
        ({"condition_rows": 0}, "condition_rows must be at least 1"),
        ({"neighbours": 0}, "neighbours must be at least 1"),
        ({"eval_batch_size": 1}, "eval_batch_size must be at least 4"),
        ({"steps": 0}, "steps must be a positive integer"),
        (
            {"average": 1.0},
            r"average must be the decay of a moving average, at least 0 \(none\) and below 1",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    changes: dict[str, Any], message: str, represent: Callable[..., Represent]
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        represent(**changes)


def test_only_an_encoder_with_an_inverse_can_hide(adversarial: Callable[..., Adversarial]) -> None:
    with pytest.raises(
        ValueError, match=r"^model must be an encoder with an inverse, got MLP; use model=realnvp"
    ):
        adversarial(model=MODEL).prepare()


class Broken(InMemory):
    """The record of a run that ends abruptly after its first checkpoint, and of the run that
    continues from there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.saved: dict[str, Any] | None = None

    def save(self, state: dict[str, Any]) -> None:
        if self.saved is None:
            buffer = io.BytesIO()
            torch.save(state, buffer)
            self.saved = torch.load(io.BytesIO(buffer.getvalue()))
            raise InterruptedError

    def restore(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.saved


@pytest.mark.parametrize(("name", "copies"), [("represent", 2), ("adversarial", 1)])
def test_an_aborted_run_resumes_exactly(
    name: str, copies: int, request: pytest.FixtureRequest, halves: Callable[..., ImageHalves]
) -> None:
    model = (
        partial(ResidualMLP, layers=2, activation="ReLU", deviation=1e-2)
        if name == "represent"
        else FLOW
    )
    shared = {
        "dataset": halves(0.1),
        "model": model,
        "replicates": copies,
        "condition_every": 4,
        "checkpoint_every": 6,
    }
    runner = request.getfixturevalue(name)(**shared)
    record = Broken()
    with pytest.raises(InterruptedError):
        runner.prepare()(record)
    assert runner.prepare()(record).metrics == metrics(runner)


RUN = [
    "dataset=mnist_halves",
    "critic=bilinear",
    "runner.batch_size=16",
    "runner.log_every=3",
    "runner.eval_every=4",
]
SHORT = [
    *RUN,
    "runner.probe_every=4",
    "runner.checkpoint_every=5",
    "dataset.noise=0.1",
    "replicates=2",
]
CHOSEN = {
    "represent": ["runner=represent", "model.hidden=[8]", "estimator=nwj", "runner.target=1"],
    "adversarial": [
        "runner=adversarial",
        "model.couplings=2",
        "model.hidden=[8]",
        "runner.warm_up=2",
    ],
}


@pytest.mark.parametrize("name", CHOSEN)
def test_more_steps_write_the_same_bytes_as_a_longer_run(
    name: str, command: Command, data_dir: Path
) -> None:
    arguments = [*CHOSEN[name], *SHORT, f"data_dir={data_dir}"]
    for run, steps in ("whole", 8), ("extended", 5), ("extended", 8):
        ended = command(*arguments, f"name={run}", f"runner.steps={steps}")
        assert ended.code == 0, ended.err
        assert ended.out.startswith("accuracy of a linear probe ")
    whole, extended = (Path("outputs/runs", run) for run in ("whole", "extended"))
    assert (whole / "metrics.jsonl").read_bytes() == (extended / "metrics.jsonl").read_bytes()
    results = [
        json.loads((folder / "result.json").read_text())["metrics"] for folder in (whole, extended)
    ]
    assert results[0] == results[1]
    assert (whole / "figures/accuracy.png").is_file()


def weights(task: Representing) -> Tensor:
    """The weights of the encoder that are read, one after another."""
    return nn.utils.parameters_to_vector(task.examiner.reader.encoder(0).parameters())


def test_encoders_are_read_by_the_average_of_their_weights(
    represent: Callable[..., Represent],
) -> None:
    """The average lags behind the weights themselves."""
    moved = []
    for average in (0.0, 0.99):
        task = represent(average=average).task()
        begun = weights(task).clone()
        for _ in range(16):
            task.step()
        moved.append((weights(task) - begun).norm().item())
    assert 0 < moved[1] < 0.99 * moved[0]


def test_a_report_draws_the_accuracy_of_a_sweep(command: Command, data_dir: Path) -> None:
    arguments = [*CHOSEN["represent"], *SHORT, f"data_dir={data_dir}", "runner.steps=4", "name=a"]
    ended = command(
        "-m",
        *(each for each in arguments if not each.startswith("estimator=")),
        "estimator=infonce,nwj",
    )
    assert ended.code == 0, ended.err
    beside = "runner.beside=[mi,accuracy_pixels]"
    assert (
        command(
            "runner=report", "runner.source=outputs/sweeps/a", "runner.metric=accuracy", beside
        ).code
        == 0
    )
    summary = Path("outputs/sweeps/a/summary.md").read_text()
    assert "| estimator | mi | accuracy_pixels | mean ± sd | runs |" in summary
    assert re.search(r"\| nwj \|.*\| 0\.\d{3} ± 0\.\d{3} \| 2 \|", summary)
    assert Path("outputs/sweeps/a/figures/settings.png").is_file()


SMALL = {
    "mlp": ["model.hidden=[8]"],
    "convnet": ["model.channels=[4,4]"],
    "residual_mlp": ["model.layers=2"],
    "realnvp": ["model.couplings=2", "model.hidden=[8]"],
}


@pytest.mark.parametrize(
    "arguments",
    [
        *([f"model={path.stem}", *SMALL.get(path.stem, [])] for path in MODELS),
        ["estimator=n_pair", *SMALL["mlp"]],
        ["estimator=triplet", *SMALL["mlp"]],
        ["estimator=mine", "runner.shared=true", *SMALL["mlp"]],
        ["dataset=cifar10", "model=convnet", "model.shape=[3,16,32]", *SMALL["convnet"]],
    ],
    ids=lambda each: each[0],
)
def test_every_encoder_and_loss_runs_by_its_name(
    arguments: list[str], command: Command, data_dir: Path
) -> None:
    brief = [
        "runner.batch_size=16",
        "runner.steps=2",
        "runner.eval_every=2",
        "runner.probe_every=2",
    ]
    critic = (
        []
        if "estimator=triplet" in arguments or "estimator=n_pair" in arguments
        else ["critic=bilinear"]
    )
    dataset = [] if "dataset=cifar10" in arguments else ["dataset=mnist_halves"]
    ended = command(
        "runner=represent", *dataset, *critic, *brief, *arguments, f"data_dir={data_dir}", "name=a"
    )
    assert ended.code == 0, ended.err
    read = json.loads(Path("outputs/runs/a/result.json").read_text())["metrics"]
    assert ("mi" in read) is not ("loss" in read)
    assert ("reconstruction" in read) is (arguments[0] in ("model=realnvp", "model=identity"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["runner=represent", "dataset=correlated_gaussians", "critic=bilinear"],
            "dataset must have labelled views",
        ),
        (
            ["runner=represent", "dataset=mnist_halves", "critic=bilinear", "model=none"],
            "model must be an encoder, got none",
        ),
        (
            ["runner=represent", "dataset=mnist_halves", "estimator=club"],
            "estimator must have one objective for critics",
        ),
        (
            ["runner=adversarial", "dataset=mnist_halves", "model=mlp"],
            "model must be an encoder with an inverse, got MLP",
        ),
    ],
)
def test_the_launcher_refuses_in_one_line(
    arguments: list[str], message: str, command: Command, data_dir: Path
) -> None:
    ended = command(*arguments, f"data_dir={data_dir}", "name=a")
    assert ended.code == 2
    assert ended.err.startswith(f"refused: {message}")
    assert len(ended.err.splitlines()) == 1
