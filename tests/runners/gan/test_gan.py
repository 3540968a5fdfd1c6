"""Generative adversarial networks: the gradients of each network, the reported values, resuming,
and refused settings.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.datasets.modes.stacked_mnist import StackedMnist
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.barber_agakov import BarberAgakov
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.mine import MINE
from infobound.estimators.nwj import NWJ
from infobound.models.adversaries import dcgan
from infobound.models.adversaries.gan_mlp import Discriminator, Encoder, Generator
from infobound.models.adversaries.interface import Adversaries
from infobound.models.critics.conditional_gaussian import ConditionalGaussian
from infobound.models.critics.convolutional import SemiConvolutional
from infobound.models.critics.dense import Concat, InnerProduct, Separable
from infobound.models.encoders.networks import MLP
from infobound.regularizers.exposed import Exposed
from infobound.regularizers.mutual_information import MutualInformation
from infobound.runners.gan import runner
from infobound.runners.gan.digit_classifier import RECIPE
from infobound.runners.gan.objectives import NonSaturating, Wasserstein
from infobound.runners.gan.recognition import recognition
from infobound.runners.gan.runner import GAN
from infobound.runners.gan.task import GANTraining
from infobound.runners.gan.watch import DiscriminatorWatch
from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.identity import essence
from infobound.runners.runs.records import InMemory
from infobound.runners.runs.written import Written
from infobound.runners.training import adaptive_clipping
from tests.settings import TRAINING, flat

Command = Callable[..., Any]
MODEL = Adversaries(
    partial(Generator, hidden=[16, 16], slope=0.2, batch_norm=True),
    partial(Discriminator, hidden=[16, 16], slope=0.0),
    partial(Encoder, hidden=[16], slope=0.2, batch_norm=False),
)
SEPARABLE = partial(Separable, hidden=[8], embed=4, activation="ReLU")
CONCAT = partial(Concat, hidden=[8], activation="ReLU", negatives=1)
ADAM = partial(torch.optim.Adam, lr=1e-3)
PENALTY: dict[str, Any] = {
    "of": "latent",
    "estimator": InfoNCE(),
    "critic": SEPARABLE,
    "optimizer": ADAM,
    "beta": 1.0,
    "critic_steps": 1,
    "until": None,
    "clip": True,
    "noise": 0.0,
}
SETTINGS: dict[str, Any] = {
    **TRAINING,
    "dataset": GaussianModes.grid(3, 2.0, 0.1, standardised=False),
    "model": MODEL,
    "regularizer": None,
    "objective": NonSaturating(0.0),
    "optimizer": ADAM,
    "latent": 2,
    "prior": "uniform",
    "conditional": False,
    "inference": None,
    "r1": 0.0,
    "instance_noise": 0.0,
    "discriminator_steps": 1,
    "steps": 6,
    "batch_size": 16,
    "log_every": 2,
    "eval_every": 3,
    "eval_samples": 200,
    "patience": None,
    "classifiers": "unused",
}


def penalty(**changes: Any) -> Callable[..., MutualInformation]:
    return partial(MutualInformation, **{**PENALTY, **changes})


def gan(**changes: Any) -> GAN:
    return flat(GAN, {**SETTINGS, **changes})


def metrics(**changes: Any) -> Written:
    return gan(**changes).prepare()(InMemory()).metrics


def weights(task: GANTraining) -> dict[str, Tensor]:
    players = {"generators": task.generators, "discriminators": task.discriminators}
    return {name: each.networks.parameters.detach().clone() for name, each in players.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"regularizer": penalty()},
        {"regularizer": penalty(clip=False, critic_steps=2), "discriminator_steps": 2},
        {
            "regularizer": penalty(estimator=MINE(alpha=0.1), critic=CONCAT),
            "r1": 0.1,
            "average": 0.9,
            "cosine": True,
        },
        {"regularizer": penalty(of="label", estimator=NWJ(), critic=CONCAT), "conditional": True},
        {
            "regularizer": penalty(critic=InnerProduct),
            "prior": "gaussian",
            "instance_noise": 0.5,
            "discriminator_steps": 2,
        },
        {
            "regularizer": penalty(
                estimator=BarberAgakov(),
                critic=partial(
                    ConditionalGaussian,
                    hidden=[8],
                    activation="ReLU",
                    covariance="diagonal",
                    negatives=1,
                ),
            )
        },
        {"objective": Wasserstein(10.0), "discriminator_steps": 2},
        {"inference": "bigan", "regularizer": penalty(of="inferred"), "r1": 0.1},
        {"inference": "bigan", "objective": Wasserstein(10.0), "conditional": True},
    ],
)
def test_copies_do_not_depend_on_the_number_of_other_copies(changes: dict[str, Any]) -> None:
    alone, beside = (metrics(replicates=copies, eval_every=6, **changes) for copies in (1, 3))
    for name in (
        "modes",
        "high_quality",
        "kl",
        "js",
        *(["reconstruction", "same_mode"] if "inference" in changes else []),
    ):
        assert math.isfinite(alone[name])
        assert alone[f"{name}_stderr"] >= 0
        assert alone[name] == pytest.approx(beside[f"{name}_replicates"][0], abs=0.02, rel=0.01)
    assert len({*beside["js_replicates"]}) == 3
    assert beside["stderr_of"] == "replicates"


@pytest.mark.parametrize("replicates", [1, 2])
def test_the_regularisers_gradient_is_clipped_and_reaches_the_generator_alone(
    replicates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With plain SGD the generator moves along g_u + beta c g_m, and the other networks as without
    the regularizer.
    """
    seen: list[tuple[list[Tensor], list[Tensor], Tensor]] = []
    clipped = adaptive_clipping.share

    def share(gradient: list[Tensor], beside: list[Tensor]) -> Tensor:
        shares = clipped(gradient, beside)
        seen.append(
            ([part.clone() for part in gradient], [part.clone() for part in beside], shares)
        )
        return shares

    monkeypatch.setattr(adaptive_clipping, "share", share)
    sgd: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.1), "replicates": replicates}
    plain = gan(**sgd).task()
    task = gan(regularizer=penalty(beta=2.0), **sgd).task()
    before = weights(task)
    told, _ = task.step(), plain.step()
    after = weights(task)
    [(own, rest, shares)] = seen
    length, most = (torch.cat(each, dim=1).norm(dim=1) for each in (own, rest))
    assert (shares * length <= most * (1 + 1e-5)).all()
    torch.testing.assert_close(told["clip"], shares)
    moved = torch.cat(
        [
            (each + 2 * shares[:, None] * extra).flatten()
            for each, extra in zip(rest, own, strict=True)
        ]
    )
    torch.testing.assert_close(after["generators"], before["generators"] - 0.1 * moved)
    torch.testing.assert_close(
        after["discriminators"], weights(plain)["discriminators"], rtol=0, atol=0
    )
    assert not torch.equal(after["generators"], weights(plain)["generators"])


def test_generators_and_critics_steps_leave_the_other_networks_gradients_alone() -> None:
    critics: list[MutualInformation] = []

    def kept(rows: Exposed) -> MutualInformation:
        critics.append(penalty()(rows))
        return critics[-1]

    task = gan(regularizer=kept).task()
    task.step()
    others = [task.discriminators.networks.parameters, *critics[0].parameters()]
    before = [each.grad.clone() for each in others if each.grad is not None]
    made = task.make()
    loss = torch.nn.functional.softplus(made.outputs[0]).mean((1, 2))
    assert task.regularisation is not None
    task.regularisation.lead(task.generators, loss, made.exposed)
    assert len(before) == len(others)
    assert all(each.any() for each in (before[0], before[1]))
    for each, gradient in zip(others, before, strict=True):
        torch.testing.assert_close(each.grad, gradient, rtol=0, atol=0)


def test_a_strength_of_zero_trains_no_critic_and_changes_nothing() -> None:
    task, plain = gan(regularizer=penalty(beta=0.0)).task(), gan().task()
    assert "regularisation" not in task.parts
    for _ in range(3):
        assert task.step().keys() == plain.step().keys() == {"discriminator", "generator"}
    torch.testing.assert_close(weights(task), weights(plain), rtol=0, atol=0)


@pytest.mark.parametrize(("until", "steps"), [(2, 2), (0.5, 3), (None, 6)])
def test_the_regularizer_ends_after_steps_or_a_share_of_them(
    until: float | None, steps: int
) -> None:
    task = gan(regularizer=penalty(until=until)).task()
    assert ["mi" in task.step() for _ in range(6)] == [step < steps for step in range(6)]


def test_instance_noise_is_on_what_is_judged_alone_and_ends_at_half_of_the_steps() -> None:
    task = gan(instance_noise=0.5, batch_size=2000, inference="bigan").task()
    for step in range(6):
        made = task.make()
        x, latent = made.real
        real, fake = task.judged(made)
        assert real[1] is latent
        std = max(0.0, 0.5 * (1 - step / 3))
        for noisy, clean in ((real[0], x), (fake[0], made.outputs[0])):
            difference = noisy - clean
            assert difference.std().item() == pytest.approx(
                std, rel=0.05
            )  # 4,000 numbers: 4 standard errors
            assert difference.mean().abs().item() <= 4 * std / 4000**0.5
        task.step()


def test_instance_noise_makes_the_number_of_steps_part_of_what_a_run_is() -> None:
    target = f"{GAN.__module__}.{GAN.__qualname__}"
    for std in (0.0, 0.5):
        node = {"_target_": target, "steps": 100, "eval_every": 10, "instance_noise": std}
        assert ("runner.steps" in essence({"runner": node})) == (std > 0)
        assert "runner.eval_every" not in essence({"runner": node})


def test_a_critic_learns_the_information_of_samples_and_latents() -> None:
    task = gan(regularizer=penalty(), batch_size=64, steps=200).task()
    values = [task.step()["mi"].item() for _ in range(200)]
    assert sum(values[-20:]) > sum(values[:20]) + 10


def test_generators_find_the_modes() -> None:
    found = metrics(
        steps=600,
        eval_every=600,
        batch_size=64,
        r1=0.1,
        optimizer=partial(torch.optim.Adam, lr=2e-3, betas=(0.0, 0.99)),
    )
    assert found["modes"] >= 5
    assert found["kl"] < 1  # a single mode gives log 9 = 2.2


def test_a_resumed_run_is_the_same() -> None:
    changes: dict[str, Any] = {
        "regularizer": penalty(),
        "average": 0.9,
        "replicates": 2,
        "instance_noise": 0.5,
    }
    changes |= {"objective": Wasserstein(10.0)}
    whole, begun, resumed = (gan(**changes).task() for _ in range(3))
    for _ in range(3):
        whole.step()
        begun.step()
    resumed.load(begun.state())
    for _ in range(2):
        torch.testing.assert_close(whole.step(), resumed.step(), rtol=0, atol=0)
    assert whole.read(5) == resumed.read(5)


class Winning(NonSaturating):
    """An objective for which a discriminator counts as never wrong."""

    @property
    def least(self) -> float:
        return 1e9


def test_a_discriminator_that_is_never_wrong_fails_the_run() -> None:
    with pytest.raises(
        RunFailed,
        match="the discriminator was never wrong at 2 evaluations in a row up to step 3",
    ):
        metrics(objective=Winning(0.0), patience=2)
    assert metrics(objective=Winning(0.0), patience=None)["warnings"] == []


def test_a_watch_counts_readings_in_a_row_of_each_copy_and_fails_when_all_have_won() -> None:
    watch = DiscriminatorWatch(least=0.0, patience=2)
    for step, losses in enumerate([(0.0, 0.0), (1.0, 0.0), (0.0, 0.5)]):
        watch.see(losses, step)
    assert watch.won == []
    resumed = DiscriminatorWatch(least=0.0, patience=2)
    resumed.load(watch.state())
    resumed.see((0.0, 0.0), 3)
    assert resumed.won == [0]
    assert resumed.warnings == [
        "the discriminator of copy 0 was never wrong at the last evaluations"
    ]
    with pytest.raises(RunFailed, match="never wrong at 2 evaluations in a row up to step 4"):
        resumed.see((0.0, 0.0), 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": 0}, "latent must be a positive integer, got 0"),
        (
            {"dataset": CorrelatedGaussians(2, None, 1.0)},
            "dataset must have modes to cover, got CorrelatedGaussians",
        ),
        ({"model": None}, "model must be a generator and a discriminator; use model=gan_mlp"),
        (
            {"model": partial(MLP, hidden=[8], outputs=2, activation="ReLU")},
            "model must be a generator and a discriminator",
        ),
        ({"r1": -1.0}, "r1 must be 0 or more"),
        ({"instance_noise": -0.1}, "instance_noise must be a finite standard deviation"),
        ({"discriminator_steps": 0}, "discriminator_steps must be at least 1"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"patience": 0}, "patience must be a positive integer or null"),
        ({"average": 1.0}, "average must be the decay of a moving average"),
        (
            {"compile": True, "r1": 0.1},
            "compile must be false with a penalty on the discriminator's gradient",
        ),
        ({"regularizer": penalty(of="label")}, "of must be latent for this model, got label"),
        ({"optimizer": torch.optim.LBFGS}, "optimizer must treat every parameter separately"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_way_out(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        gan(**changes).prepare()


class Noting(InMemory):
    """A record that notes the steps of samples, with their shapes, and of figures."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int | None, tuple[int, ...]] = {}
        self.drawn: list[tuple[str, int]] = []

    def samples(self, step: int | None, x: Tensor) -> None:
        self.kept[step] = tuple(x.shape)

    def figure(self, name: str, figure: Any, step: int) -> None:
        self.drawn.append((name, step))


def test_samples_are_kept_at_every_evaluation_and_drawn_in_training() -> None:
    record = Noting()
    gan(replicates=2).prepare()(record)
    assert record.kept == {None: (2000, 2)} | dict.fromkeys((0, 3, 6), (2, 2000, 2))
    assert record.drawn == [(name, step) for step in (3, 6) for name in ("samples", "coverage")]


def test_digits_are_generated_and_inferred(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses convolutions, a critic of images and their inferred latents, and a classifier of a few
    digits.
    """
    few = replace(RECIPE, steps=2, batch_size=8)
    monkeypatch.setattr(runner, "recognition", partial(recognition, recipe=few))
    model = Adversaries(
        partial(dcgan.Generator, channels=[4, 4], batch_norm=True),
        partial(dcgan.Discriminator, channels=[4, 4], slope=0.2, batch_norm=False),
        partial(dcgan.Encoder, channels=[4, 4], slope=0.2, batch_norm=True),
    )
    critic = partial(
        SemiConvolutional,
        shape=(2, 28, 28),
        channels=[4],
        hidden=8,
        activation="ELU",
        spatial=False,
        negatives=1,
    )
    found = metrics(
        dataset=StackedMnist.read(str(data_dir), 2),
        model=model,
        regularizer=penalty(of="inferred", critic=critic),
        inference="bigan",
        latent=3,
        eval_samples=50,
        steps=2,
        eval_every=2,
        r1=0.1,
        classifiers=str(data_dir / "classifiers"),
    )
    assert found["of_modes"] == 100
    assert 0 <= found["classifier_error"] <= 1
    assert -1 <= found["ms_ssim"] < 1
    assert found["reconstruction"] > 0


def test_the_launcher_trains_and_a_longer_run_continues(command: Command) -> None:
    few = [
        "runner.batch_size=8",
        "runner.eval_every=2",
        "runner.eval_samples=50",
        "runner.log_every=2",
    ]
    penalised = [
        "regularizer=mutual_information",
        "optimizer@regularizer.optimizer=sgd",
        "runner/objective=wasserstein",
    ]
    for steps in (2, 4):
        ended = command(
            "name=a", "runner=gan", "dataset=ring", f"runner.steps={steps}", *few, *penalised
        )
        assert ended.code == 0, ended.err
    assert " of 8 modes, high quality " in ended.out
    result = json.loads(Path("outputs/runs/a/result.json").read_text())
    assert result["steps"] == 4
    assert next(iter(result["metrics"])) == "modes"
    assert result["score"] == result["metrics"]["modes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runner=gan", "dataset=correlated_gaussians"], "dataset must have modes to cover"),
        (["runner=gan", "runner.latent=0"], "runner.latent must be a positive integer, got 0"),
        (
            ["runner=gan", "regularizer=mutual_information", "regularizer.of=label"],
            "regularizer.of must be latent for this model",
        ),
        (
            ["regularizer=mutual_information"],
            "regularizer must be none for infobound.runners.estimate.runner.Estimate",
        ),
    ],
)
def test_the_launcher_names_the_key_that_does_not_fit(
    arguments: list[str], message: str, command: Command
) -> None:
    ended = command(*(["critic=separable", "dataset=ring", "runner.batch_size=8"]), *arguments)
    assert ended.code == 2
    assert ended.err.startswith(f"refused: {message}")
