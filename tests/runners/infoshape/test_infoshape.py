"""InfoShape: the encoder maximises one information and minimises the other, its codes are tested
with fresh networks, and runs resume.
"""

import copy
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.hidden_sign import TwoClasses
from infobound.estimators.dv import DV
from infobound.estimators.ksg import KSG
from infobound.estimators.mine import MINE
from infobound.models.critics.dense import Concat
from infobound.models.encoders.networks import MLP
from infobound.regularizers.exposed import expose
from infobound.regularizers.mine_bottleneck import MineBottleneck
from infobound.regularizers.privacy_utility import PrivacyUtility
from infobound.runners.classify.fresh_classifier import FreshClassifier
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.infoshape.code_pairs import CodePairs
from infobound.runners.infoshape.runner import InfoShape
from infobound.runners.infoshape.samples import one_hot
from infobound.runners.infoshape.task import Shaping
from infobound.runners.runs.records import InMemory
from tests.settings import TRAINING, flat

CPU = torch.device("cpu")
Command = Callable[..., Any]
ADAM = partial(torch.optim.Adam, lr=1e-2)
CRITIC = partial(Concat, hidden=[24], activation="ReLU", negatives=1)
PENALTY: dict[str, Any] = {
    "estimator": MINE(alpha=0.05),
    "critic": CRITIC,
    "optimizer": ADAM,
    "beta": 0.1,
    "critic_steps": 2,
}
ESTIMATES: dict[str, Any] = {
    "estimator": DV(),
    "critic": CRITIC,
    "optimizer": ADAM,
    "samples": 1,
    "steps": 20,
    "batch_size": 64,
    "average": 0.9,
    "eval_batches": 4,
    "eval_batch_size": 256,
}
TEST: dict[str, Any] = {"width": 16, "steps": 30, "batch_size": 64, "optimizer": ADAM}
SETTINGS: dict[str, Any] = {
    **TRAINING,
    "dataset": TwoClasses(1, 0.99),
    "model": partial(MLP, hidden=[6], outputs=2, activation="Tanh"),
    "optimizer": ADAM,
    "classifier": flat(FreshClassifier, TEST),
    "noise": 0.2,
    "train_rows": 400,
    "test_rows": 500,
    "warm_up": 2,
    "steps": 5,
    "batch_size": 64,
    "log_every": 2,
    "eval_every": 5,
}


def penalty(**changes: Any) -> Callable[..., PrivacyUtility]:
    return partial(PrivacyUtility, **{**PENALTY, **changes})


def infoshape(**changes: Any) -> InfoShape:
    made = {"regularizer": penalty(), "estimates": flat(FreshEstimates, ESTIMATES)}
    return flat(InfoShape, {**SETTINGS, **made, **changes})


def critics_of(task: Shaping) -> PrivacyUtility:
    """The two critics of the first copy, with their current weights."""
    made = task.regularisation.penalty(0)
    assert isinstance(made, PrivacyUtility)
    return made


def test_the_encoder_minimises_one_information_and_maximises_the_other() -> None:
    """In one step of plain SGD, the encoder moves along g_utility - beta g_privacy, and each critic
    maximises its own reading.
    """
    sgd = partial(torch.optim.SGD, lr=0.1)
    task = infoshape(
        regularizer=penalty(estimator=DV(), optimizer=sgd, beta=2.0, critic_steps=1),
        optimizer=sgd,
        warm_up=0,
    ).task()
    encoders, regularisation = task.encoders.networks, task.regularisation
    x, y = task.batches.look(0)
    begun = copy.deepcopy(encoders.state())
    critics = critics_of(task)
    seen = expose(input=x, label=y, representation=task.encoders(x[None])[0])
    wanted = [
        torch.cat([part.flatten() for part in encoders.gradient(each.objective, again=True)])
        for each in critics.bounds(seen)
    ]
    encoders.load(begun)
    before = encoders.parameters.detach().clone()
    moved = before - 0.1 * (2 * wanted[0] - wanted[1])
    batch = expose(input=x[None], label=y[None], representation=task.encoders(x[None]))
    task.encoders.follow(encoders.gradient(regularisation.terms(batch).penalty))
    torch.testing.assert_close(encoders.parameters.detach(), moved)
    for after, first in zip(critics_of(task).parameters(), critics.parameters(), strict=True):
        assert torch.equal(after, first)
    held = {name: each.detach() for name, each in batch.items()}
    for _ in range(30):
        regularisation.fit(lambda: held)
    one = {name: each[0] for name, each in held.items()}
    earlier, later = (each.bounds(one) for each in (critics, critics_of(task)))
    assert all(after.value > first.value for first, after in zip(earlier, later, strict=True))
    torch.testing.assert_close(encoders.parameters.detach(), moved)


def test_only_critics_learn_at_first() -> None:
    task = infoshape(warm_up=3).task()
    first = task.first
    for _ in range(3):
        task.step()
    assert all(
        torch.equal(each, first[name]) for name, each in task.encoders.networks.weights().items()
    )
    task.step()
    assert any(
        not torch.equal(each, first[name])
        for name, each in task.encoders.networks.weights().items()
    )


@pytest.mark.parametrize("replicates", [1, 2])
def test_a_resumed_run_is_the_same(replicates: int) -> None:
    whole, begun, resumed = (infoshape(replicates=replicates).task() for _ in range(3))
    for task in (whole, begun):
        for _ in range(3):
            task.step()
        task.evaluate(3)
    resumed.load(begun.state())
    for _ in range(2):
        torch.testing.assert_close(whole.step(), resumed.step(), rtol=0, atol=0)
    assert whole.evaluate(5) == resumed.evaluate(5)


def test_copies_do_not_depend_on_the_number_of_other_copies() -> None:
    alone, beside = (
        infoshape(replicates=copies).prepare()(InMemory()).metrics for copies in (1, 2)
    )
    for name in (
        "mi_label",
        "mi_input",
        "cross_entropy",
        "cross_entropy_raw",
        "cross_entropy_random",
    ):
        assert alone[name] == pytest.approx(beside[f"{name}_replicates"][0], rel=1e-2, abs=1e-2)
        assert beside[f"{name}_stderr"] > 0
    assert (alone["stderr_of"], beside["stderr_of"]) == ("subsamples", "replicates")


def test_codes_keep_more_of_the_label_than_those_of_the_first_weights() -> None:
    learning: dict[str, Any] = {
        "steps": 80,
        "warm_up": 20,
        "train_rows": 1000,
        "noise": 0.1,
        "eval_every": 80,
    }
    learning |= {"regularizer": penalty(beta=0.0), "optimizer": partial(torch.optim.Adam, lr=3e-2)}
    learning |= {"classifier": flat(FreshClassifier, {**TEST, "steps": 100})}
    found = infoshape(**learning).prepare()(InMemory()).metrics
    assert found["cross_entropy"] < found["cross_entropy_random"] - 0.05
    assert found["cross_entropy_raw"] < found["cross_entropy_random"] - 0.05
    assert 0.02 < found["mi_label"] < math.log(2)


def test_codes_have_less_information_about_the_input_if_its_weight_is_larger() -> None:
    read = list[float]()
    for beta in (0.0, 3.0):
        task = infoshape(
            regularizer=penalty(beta=beta), optimizer=partial(torch.optim.Adam, lr=3e-2)
        ).task()
        for _ in range(50):
            task.step()
        read.append(task.evaluate(50)["mi_input"].value)
    assert read[1] < read[0] - 0.5


def test_pairs_are_codes_with_noise_of_fresh_inputs_or_labels() -> None:
    encoder = infoshape(noise=0.5).task().encoder(0)
    for of_input, dims in ((True, (2, 2)), (False, (2, 2))):
        pairs = CodePairs(SETTINGS["dataset"], encoder, of_input, 7, CPU)
        x, z = pairs.sample(3000, torch.Generator().manual_seed(0))
        assert (pairs.dim_x, pairs.dim_y) == dims == (x.shape[1], z.shape[1])
        assert ((x.sum(1) == 1).all()) == (not of_input)
        assert z.abs().max() > 1.5
        assert len(pairs.each(1, torch.Generator())[0]) == 7


def test_labels_are_one_hot_or_refused() -> None:
    assert one_hot(TwoClasses(2, 0.5))
    assert not one_hot(CorrelatedGaussians(2, 0.5, None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": CorrelatedGaussians(2, 0.5, None)},
            "dataset must have pairs of inputs and one-hot labels, got CorrelatedG",
        ),
        (
            {"dataset": object()},
            "dataset must have pairs of inputs and one-hot labels, got object; use dataset=two_c",
        ),
        ({"model": None}, "model must be an encoder, got none; use model=mlp"),
        ({"regularizer": None}, "regularizer must weigh privacy against utility, got none"),
        (
            {"regularizer": partial(MineBottleneck)},
            "regularizer must weigh privacy against utility, got MineBottleneck",
        ),
        (
            {"noise": 0.0},
            r"noise must be above 0, or I\(X; Z\) is infinite, got 0.0",
        ),
        ({"batch_size": 500}, "batch_size must not exceed the 400 training rows, got 500; use 256"),
        ({"regularizer": penalty(beta=-1.0)}, "beta must be 0 or more, got -1.0"),
        (
            {"regularizer": penalty(critic_steps=0)},
            "critic_steps must be a positive integer, got 0",
        ),
        (
            {"regularizer": penalty(estimator=KSG(k=3, version=1, lnc=None))},
            "estimator must be one that trains a critic, got KSG without one",
        ),
    ],
)
def test_wrong_settings_of_infoshape_are_refused_with_the_way_out(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        infoshape(**changes).prepare()


def test_a_label_must_be_there_to_be_kept() -> None:
    with pytest.raises(
        ValueError,
        match=r"^beta needs a label to keep, but this model exposes no label",
    ):
        penalty()({"input": torch.zeros(2, 1), "representation": torch.zeros(2, 1)})


def test_the_launcher_tests_the_codes(command: Command) -> None:
    few = [
        "runner.train_rows=64",
        "runner.test_rows=32",
        "runner.steps=4",
        "runner.warm_up=1",
        "runner.batch_size=16",
    ]
    few += [
        "runner.classifier.steps=4",
        "runner.classifier.batch_size=16",
        "runner.estimates.steps=3",
    ]
    few += [
        "runner.estimates.batch_size=16",
        "runner.estimates.eval_batches=2",
        "runner.estimates.eval_batch_size=16",
    ]
    chosen = [
        "experiment=infoshape",
        "runner=infoshape",
        "critic=concat",
        "critic.hidden=[8]",
        "critic.negatives=1",
    ]
    ended = command(*chosen, *few, "dataset=two_classes", "dataset.dim=2", "name=a")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("I(Z;label) = ")
    result = json.loads(Path("outputs/runs/a/result.json").read_text())
    assert next(iter(result["metrics"])) == "mi_label"
    assert result["score"] == result["metrics"]["mi_label"]
