"""Classifiers whose scores should not depend on a pivot: the loss and its rows, the readings, and
refused settings.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from infobound.datasets.labelled.bivariate import Bivariate
from infobound.datasets.labelled.mass_peak import MassPeak
from infobound.datasets.labelled.protected_group import ProtectedGroup
from infobound.datasets.labelled.rows import LabelledRows, Pivot
from infobound.datasets.labelled.table import Table
from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.estimators.js import JS
from infobound.models.adversaries.pivot_densities import Binned, Mixture
from infobound.models.classifiers.mlp_classifier import MLPClassifier
from infobound.models.classifiers.tabular_mlp import TabularMLP
from infobound.models.critics.dense import Concat
from infobound.models.encoders.networks import MLP
from infobound.regularizers.adversary import Adversary
from infobound.regularizers.distance_correlation import DistanceCorrelation
from infobound.regularizers.exposed import Exposed
from infobound.regularizers.jsd_gradient import JSDGradient
from infobound.regularizers.kl_update import KLUpdate
from infobound.regularizers.minmax import Minmax
from infobound.regularizers.mmd import MMD
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant import checks
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.runner import Invariant, sentence
from infobound.runners.invariant.task import Invariance
from infobound.runners.runs.metrics import Metrics, Quantity, result
from tests.conftest import TARGET
from tests.runners.series import autoregressive
from tests.settings import TRAINING, flat, waiting

Command = Callable[..., Any]
NETWORK: dict[str, Any] = {"hidden": [8], "activation": "ELU", "layer_norm": True}
MODEL: dict[str, Any] = {
    "hidden": [16, 16],
    "activation": "ReLU",
    "normalise": "none",
    "spectral_norm": False,
    "glorot": True,
}
PLAYED: dict[str, Any] = {
    "optimizer": partial(torch.optim.Adam, lr=5e-3),
    "lam": 1.0,
    "warmup": 0,
    "critic_steps": 2,
}
BY_CRITIC: dict[str, Any] = {
    **PLAYED,
    "estimator": JS(),
    "critic": partial(Concat, negatives=1, **NETWORK),
}
SETTINGS: dict[str, Any] = {
    "dataset": Bivariate(),
    "model": partial(TabularMLP, **MODEL),
    "regularizer": None,
    "optimizer": partial(torch.optim.Adam, lr=1e-2),
    "background": 0,
    "background_only": False,
    "pretrain": 0,
    "pretrain_critic": 0,
    "steps": 6,
    "batch_size": 64,
    "eval_rows": 200,
    "test_rows": 400,
    "permutations": 0,
    "efficiency": 0.1,
    "signal_events": 100.0,
    "background_events": 1000.0,
    "log_every": 2,
    "eval_every": 3,
}


def model(**changes: Any) -> Callable[..., nn.Module]:
    return partial(TabularMLP, **{**MODEL, **changes})


def kl(**changes: Any) -> Callable[..., KLUpdate]:
    return waiting(KLUpdate, **{**BY_CRITIC, **changes})


def invariant(**changes: Any) -> Invariant:
    return flat(Invariant, {**TRAINING, **SETTINGS, **changes})


def read(**changes: Any) -> Metrics:
    """The reading after all steps, without figures, which take longer than the rest."""
    runner = invariant(**changes)
    task = runner.task()
    for _ in range(runner.steps):
        task.step()
    return task.read(runner.steps)


def metrics(**changes: Any) -> dict[str, Any]:
    """The reading in the form of result.json."""
    return dict(result(read(**changes)))


def table(size: int = 120, classes: int = 2, **changes: Any) -> Table:
    """Rows of two features, a mass and a group, weighted."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn(size, 2, generator=source)
    labels = torch.arange(size) % classes
    pivots = torch.stack(
        [x[:, 0] + torch.randn(size, generator=source), torch.arange(size) // 3 % 2.0], dim=1
    )
    rows = LabelledRows(x + labels[:, None], labels, pivots, torch.rand(size, generator=source))
    rows = replace(rows, **changes)
    names = [str(each) for each in range(classes)]
    known = [Pivot("mass", ()), Pivot("group", ("A", "B"))]
    return Table(["a", "b"], names, known, ["a warning"], rows, [size, 0, 0], (0.2, 0.3))


def test_neighbouring_rows_that_are_alike_are_pointed_out_except_by_their_class() -> None:
    """A slow series is pointed out, rows sorted by their label are not."""
    x, y = autoregressive(600, 0.97, seed=0)
    labels = torch.arange(600) % 2
    slow = LabelledRows(x, labels, y)
    [warning] = checks.in_order(slow)
    assert warning.startswith("neighbouring rows are alike in features and pivots, so 300 rows of")
    assert not checks.in_order(replace(slow, units=torch.arange(600) // 100))
    drawn = torch.randn(600, 2, generator=torch.Generator().manual_seed(0))
    by_label = drawn + 3 * labels.sort().values[:, None]
    rows = LabelledRows(by_label[:, :1], labels.sort().values, by_label[:, 1:])
    assert not checks.in_order(rows)


KINDS: dict[str, dict[str, Any]] = {
    "none": {},
    "critic": {"regularizer": kl(warmup=3)},
    "gradient": {
        "regularizer": waiting(JSDGradient, gamma=0.1, **BY_CRITIC),
        "background_only": True,
    },
    "pretrained": {
        "regularizer": waiting(Adversary, density=partial(Binned, bins=4, **NETWORK), **PLAYED),
        "pretrain": 2,
        "pretrain_critic": 2,
        "average": 0.9,
        "cosine": True,
    },
    "normalised": {
        "regularizer": partial(MMD, sigmas=[1.0], lam=1.0, warmup=0),
        "model": model(normalise="batch"),
    },
    "spectral": {
        "regularizer": partial(DistanceCorrelation, lam=1.0, warmup=0),
        "model": model(spectral_norm=True, glorot=False),
    },
    "table": {
        "dataset": table(),
        "batch_size": 20,
        "regularizer": waiting(Minmax, **BY_CRITIC),
        "background_only": True,
        "permutations": 3,
    },
    "three classes": {"dataset": table(classes=3), "batch_size": 20, "regularizer": kl()},
}
every_kind = pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)


@every_kind
def test_copies_do_not_depend_on_the_number_of_other_copies(changes: dict[str, Any]) -> None:
    alone, beside = (read(replicates=copies, **changes) for copies in (1, 3))
    assert next(iter(alone)) == "auc"
    assert {"accuracy", "cross_entropy", "mi", "mi_label", "ams"} <= {*alone}
    assert {"sculpting_nats", "energy_distance"} <= {*alone}
    assert ("mi_p_value" in alone) == ("permutations" in changes)
    for name, one in alone.items():
        if isinstance(one, Quantity):
            three = beside[name]
            assert isinstance(three, Quantity)
            assert one.copies[0] == pytest.approx(three.copies[0], rel=2e-2, abs=2e-3), name
    cross_entropy = beside["cross_entropy"]
    assert isinstance(cross_entropy, Quantity)
    assert len({*cross_entropy.copies}) == 3
    assert (result(alone)["stderr_of"], result(beside)["stderr_of"]) == ("test rows", "replicates")


@every_kind
def test_a_resumed_run_is_the_same(changes: dict[str, Any]) -> None:
    whole, begun, resumed = (invariant(replicates=2, **changes).task() for _ in range(3))
    for task in (whole, begun):
        for step in range(3):
            task.step()
            task.evaluate(step)
    resumed.load(begun.state())
    for step in range(3, 6):
        torch.testing.assert_close(whole.step(), resumed.step(), rtol=0, atol=0)
        assert whole.evaluate(step) == resumed.evaluate(step)
    assert whole.before == resumed.before


@every_kind
def test_reading_does_not_change_the_training(changes: dict[str, Any]) -> None:
    watched, unread = (invariant(**changes).task() for _ in range(2))
    for _ in range(2):
        watched.evaluate(0)
        watched.read(0)
        torch.testing.assert_close(watched.step(), unread.step(), rtol=0, atol=0)


def test_a_penalty_removes_information_about_the_pivot_but_not_about_the_label() -> None:
    """After 100 steps on the toy data without a penalty and 150 steps with one, the information is
    at most half, with nearly the same accuracy.
    """
    long: dict[str, Any] = {
        "steps": 250,
        "pretrain": 100,
        "batch_size": 256,
        "test_rows": 4000,
        "eval_every": 250,
    }
    free = metrics(**long)
    held = metrics(regularizer=partial(DistanceCorrelation, lam=3.0, warmup=0), **long)
    assert free["accuracy"] == pytest.approx(free["accuracy_bayes"], abs=0.02)
    assert free["cross_entropy"] == pytest.approx(free["cross_entropy_bayes"], abs=0.03)
    assert held["mi"] < free["mi"] / 2
    assert held["accuracy"] > 0.74
    assert held["distance_correlation"] < 0.1


def by_hand(task: Invariance, seen: Exposed, loss: Tensor, strength: float) -> Tensor:
    penalty = penalty_of(task).terms(seen).penalty
    gradient = task.classifiers.networks.gradient(loss + strength * penalty, again=True)
    return torch.cat([part.flatten() for part in gradient])


def penalty_of(task: Invariance) -> Regularisation:
    assert task.regularisation is not None
    return task.regularisation


def critic_of(task: Invariance) -> dict[str, Any]:
    """The state of the networks that the penalty trains."""
    return penalty_of(task).state()["networks"]


def test_the_warm_up_scales_the_classifiers_penalty_and_not_the_critics_loss() -> None:
    """With plain SGD, the second of four warm-up steps has half the strength."""
    sgd = partial(torch.optim.SGD, lr=0.1)
    task = invariant(regularizer=kl(optimizer=sgd, lam=2.0, warmup=4), optimizer=sgd).task()
    task.step()
    networks = task.classifiers.networks
    rows = task.feed.batches.draw()
    logits = task.classifiers(rows.x)
    seen, loss = task.exposed(logits, rows), task.loss(logits, rows)
    wanted = by_hand(task, seen, loss, 2.0 * 2 / 4)
    before = networks.parameters.detach().clone(), critic_of(task)["parameters"].clone()
    penalty_of(task).lead(task.classifiers, loss, seen)
    torch.testing.assert_close(networks.parameters.detach(), before[0] - 0.1 * wanted)
    assert torch.equal(critic_of(task)["parameters"], before[1])


def test_first_the_classifier_learns_alone_then_its_adversary_then_both() -> None:
    task = invariant(**{**KINDS["pretrained"], "average": 0.0}).task()
    moved = []
    for _ in range(6):
        states = [task.classifiers.networks.state(), critic_of(task)]
        before = [each["parameters"].clone() for each in states]
        task.step()
        after = [task.classifiers.networks.state(), critic_of(task)]
        moved.append(
            [
                not torch.equal(each["parameters"], old)
                for each, old in zip(after, before, strict=True)
            ]
        )
    assert moved == [[True, False]] * 2 + [[False, True]] * 2 + [[True, True]] * 2
    assert [task.classifiers.networks.steps, critic_of(task)["steps"]] == [4, 8]


def test_the_result_has_the_reading_after_pre_training() -> None:
    found = metrics(replicates=2, **KINDS["pretrained"])
    for name in ("auc", "adversary_loss", "cross_entropy"):
        copies = found[f"{name}_pretrained_replicates"]
        assert found[f"{name}_pretrained"] == pytest.approx(sum(copies) / 2)
        assert copies != found[f"{name}_replicates"]


def test_a_penalty_of_background_has_batches_of_it_and_divides_by_their_number() -> None:
    task = invariant(regularizer=kl(), background_only=True).task()
    rows = task.feed.penalised.draw()
    assert rows.x.shape == (1, 64, 2)
    assert (rows.labels == 0).all()
    seen = task.penalised()
    assert seen["logits"].shape == (1, 64, 1)
    penalty = penalty_of(task).penalty(0)
    assert isinstance(penalty, KLUpdate)
    assert penalty.measurement is not None
    scores = penalty.measurement.scores(seen["logits"][0], seen["pivot"][0])
    assert penalty_of(task).terms(seen).penalty.item() == pytest.approx(
        scores.joint.sum().item() / 64, rel=1e-5
    )


def test_no_test_row_of_a_table_is_trained_on() -> None:
    feed = invariant(**KINDS["table"]).task().feed
    trained = {
        tuple(row)
        for batches in (feed.batches, feed.penalised)
        for row in batches.look(0).x.tolist()
    }
    for split in ("validation", "choice", "test", "pretrained"):
        held = {tuple(row) for row in feed.held_out(0, split, 0).x.tolist()}
        assert len(held) in (24, 36)
        assert not held & trained


def test_weights_count_in_the_loss_and_in_what_is_read() -> None:
    """Rows of weight 0 have no effect."""
    whole = table()
    assert whole.rows.weights is not None
    some = (torch.arange(120) % 4 < 2).float()
    found = []
    for labels in (
        whole.rows.labels,
        torch.where(some == 1, whole.rows.labels, 1 - whole.rows.labels),
    ):
        task = invariant(dataset=table(labels=labels, weights=some), batch_size=20).task()
        logits = torch.linspace(-2, 2, 120)[None, :, None]
        rows = LabelledRows(whole.rows.x[None], labels[None], whole.rows.pivots[None], some[None])
        found.append(task.loss(logits, rows).item())
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_pivots_are_given_to_critics_in_units_of_their_deviation_and_categories_as_columns() -> (
    None
):
    source = torch.Generator().manual_seed(0)
    copies = [
        torch.stack([scale * torch.randn(300, generator=source), torch.arange(300) % 3.0], dim=1)
        for scale in (1.0, 50.0)
    ]
    code = PivotCode([Pivot("mass", ()), Pivot("kind", ("a", "b", "c"))], copies)
    together = code(torch.stack(copies))
    assert together.shape == (2, 300, 4)
    torch.testing.assert_close(together.mean(1), torch.zeros(2, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(together.std(1, correction=0), torch.ones(2, 4))
    for copy, rows in enumerate(copies):
        torch.testing.assert_close(code.of(copy, rows), together[copy])
    assert (together[0, :, 1:].argmax(-1) == torch.arange(300) % 3).all()


def test_groups_are_read_for_parity_and_numbers_are_not() -> None:
    found = metrics(dataset=ProtectedGroup(0.7))
    assert {"demographic_parity", "equalised_odds"} <= {*found}
    assert "demographic_parity" not in metrics()
    both = metrics(**KINDS["table"])
    assert {"demographic_parity", "mi_of_mass", "mi_of_group"} <= {*both}


def test_users_get_warnings_about_the_data() -> None:
    assert metrics()["warnings"] == [
        "pivot pivot is also feature x_1, so the classifier's input determines it exactly"
    ]
    assert metrics(dataset=MassPeak(0.5, 1.0))["warnings"] == []
    assert metrics(**KINDS["three classes"])["warnings"] == ["a warning"]


def told(found: dict[str, Any]) -> str:
    return "\n".join(found["warnings"])


def test_a_rare_group_is_in_every_part_and_pointed_out() -> None:
    """4 of 120 rows: the background's test rows have one group, so that no cut can sculpt it."""
    group = torch.zeros(120)
    group[:8:2] = 1.0
    pivots = torch.stack([ROWS.pivots[:, 0], group], dim=1)
    rows = invariant(dataset=table(pivots=pivots), batch_size=20)
    feed = rows.task().feed
    for part in (feed.batches.look(0), *(feed.held_out(0, use, 0) for use in ("choice", "test"))):
        assert part.pivots[:, 1].sum() >= 1
    found = metrics(dataset=table(pivots=pivots), batch_size=20)
    assert "few test rows: 1 where group = B; measures that compare them" in told(found)
    assert None not in found.values()
    alone = metrics(dataset=alone_by(group), batch_size=20, permutations=3)
    assert alone["auc"] is not None
    assert alone["mi"] is not None


def alone_by(group: Tensor, **changes: Any) -> Table:
    """A table with a group as its only pivot."""
    return replace(table(pivots=group[:, None], **changes), pivots=[Pivot("group", ("A", "B"))])


def test_what_the_test_rows_cannot_give_is_null_with_its_reason() -> None:
    """The group of one row is only in the training rows."""
    group = torch.zeros(120)
    group[3] = 1.0
    changes: dict[str, Any] = {"dataset": alone_by(group), "batch_size": 20, "permutations": 3}
    found = metrics(**changes, regularizer=kl())
    null = {name for name, each in found.items() if each is None}
    parity = {"demographic_parity", "equalised_odds"}
    sculpting = {"sculpting_nats", "sculpting_by_chance_nats", "energy_distance"}
    assert null == {"mi", "mi_p_value", *parity, *sculpting}
    assert "mi and mi_p_value are null: the variable has one value in all 36 rows" in told(found)
    assert "none where group = B" in told(found)
    assert sentence(found).startswith("AUC 0.")
    assert "I(score; pivot) = null\nwarning" in sentence(found)
    watched = invariant(**changes).task().evaluate(0)
    assert watched["mi"] is None
    assert isinstance(watched["auc"], Quantity)


def test_a_class_that_no_sampled_row_has_leaves_its_measures_null() -> None:
    found = metrics(dataset=MassPeak(1e-3, 1.0), test_rows=100, regularizer=kl(), replicates=2)
    null = {name for name, each in found.items() if each is None}
    assert null == {"auc", "ams", "ams_certain", "mi_label"}
    assert "auc is null: there are not rows that count" in told(found)


def test_batches_without_weight_do_not_move_the_classifier() -> None:
    weights = torch.zeros(120)
    weights[:8] = 1.0
    task = invariant(dataset=table(weights=weights), batch_size=4, steps=10).task()
    losses = torch.stack([task.step()["loss"] for _ in range(10)])
    assert losses.isfinite().all()
    assert (losses == 0).any()
    found = dict(result(task.read(10)))
    assert "test rows have a weight of 0" in told(found)


ROWS = table().rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": GaussianModes.ring(8, 2.0, 0.02)},
            "dataset must have labelled rows with pivots, got GaussianModes",
        ),
        (
            {"model": None},
            "model must be a classifier of rows, got none; use model=tabular_mlp",
        ),
        (
            {"model": partial(MLPClassifier)},
            "model must be a classifier of rows, got MLPClassifier; use model=tabular_mlp",
        ),
        (
            {"model": partial(MLP, hidden=[8], outputs=3, activation="ReLU")},
            "model must work for 2 features and 1 logits: ",
        ),
        (
            {"model": lambda inputs, outputs: nn.Linear(inputs, 3)},
            r"model must give outputs \(64, 1\) for a batch, got \(64, 3\)",
        ),
        (
            {"model": model(activation=["ReLU"])},
            "activation must be one for all, or one for each of 2 hidden layers, got 1",
        ),
        ({"model": model(hidden=[0])}, r"hidden must list positive widths, got \[0\]"),
        ({"model": model(spectral_norm=True)}, "glorot must be false with spectral_norm"),
        ({"background": 2}, "background must be the number of one of 2 classes, from 0, got 2"),
        (
            {"efficiency": 1.0},
            "efficiency must be a share of the background, above 0 and below 1, got 1.0",
        ),
        ({"signal_events": 0.0}, "signal_events must be a positive number, got 0.0"),
        ({"pretrain": 3}, "pretrain and pretrain_critic must be multiples of log_every, 2"),
        (
            {"pretrain": 6, "regularizer": kl()},
            "steps must be more than the 6 of pretrain and pretrain_critic, got 6",
        ),
        ({"eval_rows": 10}, "eval_rows must be at least 100, got 10"),
        ({"permutations": -1}, "permutations must be at least 0, got -1"),
        (
            {"background_only": True, "model": model(normalise="batch"), "regularizer": kl()},
            "background_only must be false for a model with batch normalisation",
        ),
        (
            {"dataset": table(), "batch_size": 400},
            "batch_size must not exceed the 60 training rows, got 400; use 32",
        ),
        (
            {
                "dataset": table(pivots=torch.stack([torch.ones(120), ROWS.pivots[:, 1]], dim=1)),
                "batch_size": 20,
            },
            "pivot mass must vary, got 1 in every training row; no score can depend on it",
        ),
        (
            {
                "dataset": table(pivots=ROWS.pivots * ROWS.labels[:, None]),
                "batch_size": 20,
                "background_only": True,
            },
            "pivot mass must vary, got 0 in every background row",
        ),
        (
            {"dataset": table(labels=torch.zeros(120, dtype=torch.int64))},
            "every class needs training rows with a weight above 0, but none has the label 1",
        ),
        (
            {"dataset": table(x=ROWS.x.where(ROWS.x > -1, torch.inf)), "batch_size": 20},
            "feature a must be finite, got .* infinite or beyond float32 in 60 rows",
        ),
        (
            {
                "dataset": table(pivots=ROWS.pivots.where(ROWS.pivots > -1, torch.nan)),
                "batch_size": 20,
            },
            "pivot mass must be finite, got .* infinite or beyond float32 in 60 rows",
        ),
        (
            {
                "dataset": ProtectedGroup(0.7),
                "regularizer": waiting(
                    Adversary, density=partial(Mixture, components=2, **NETWORK), **PLAYED
                ),
            },
            "density must be binned for pivots of few values, got 2 of them",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_way_out(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        invariant(**changes).prepare()


FEW = [
    "runner=invariant",
    "dataset=bivariate",
    "model=tabular_mlp",
    "model.hidden=[8]",
    "critic=score_and_pivot",
]
FEW += ["critic.hidden=[8]", "runner.batch_size=32", "runner.steps=4", "runner.eval_every=2"]
FEW += ["runner.eval_rows=200", "runner.test_rows=400", "runner.permutations=2"]


def few(*arguments: str) -> list[str]:
    """Small settings, except for groups with another chosen option."""
    chosen = {each.partition("=")[0] for each in arguments}
    return [
        *(each for each in FEW if each.partition("=")[0].partition(".")[0] not in chosen),
        *arguments,
    ]


@pytest.mark.parametrize("regularizer", ["none", "adversary"])
def test_the_launcher_trains_by_the_names_of_regularisers(
    regularizer: str, command: Command
) -> None:
    ended = command(*few(f"regularizer={regularizer}", "name=a"))
    assert ended.code == 0, ended.err
    assert ended.out.startswith("AUC ")
    written = json.loads(Path("outputs/runs/a/result.json").read_text())
    told = written["metrics"]
    assert written["score"] == told["auc"]
    assert ("adversary_loss" in told) == (regularizer == "adversary")
    figures = {path.stem for path in Path("outputs/runs/a/figures").iterdir()}
    assert figures == {"roc", "significance", "scores", "sculpting", "decision"}


def test_the_launcher_reads_a_table_and_leaves_the_predictions_of_its_test_rows(
    command: Command,
) -> None:
    source = np.random.default_rng(0)
    frame = pd.DataFrame({"a": source.normal(size=400), "b": source.normal(size=400)})
    frame = frame.assign(
        _label=np.where(frame["a"] > 0, "signal", "background"),
        _pivot=frame["b"] + source.normal(size=400),
    )
    frame["_pivot_score"] = source.normal(size=400)
    frame.assign(_weight=1.0, _event=range(400)).to_csv("rows.csv", index=False)
    ended = command(
        *few(
            "dataset=table",
            "dataset.path=rows.csv",
            "regularizer=kl_update",
            "replicates=2",
            "name=a",
        )
    )
    assert ended.code == 0, ended.err
    left = pd.read_parquet("outputs/runs/a/predictions.parquet")
    assert [*left] == ["copy", "row", "label", "pivot", "pivot_score", "weight", "logit", "score"]
    assert left.groupby("copy").size().tolist() == [80, 80]
    expected = frame["_pivot"].to_numpy()[left["row"]]
    np.testing.assert_allclose(left["pivot"], expected, rtol=1e-5)
    assert np.array_equal(left["label"], (frame["_label"] == "signal").to_numpy()[left["row"]])
    told = json.loads(Path("outputs/runs/a/result.json").read_text())["metrics"]
    assert {"mi", "mi_critic", "mi_p_value", "mi_label"} <= {*told}
    for value, (_, mine) in zip(told["accuracy_replicates"], left.groupby("copy"), strict=True):
        assert np.mean((mine["logit"].to_numpy() > 0) == mine["label"].to_numpy()) == pytest.approx(
            value
        )


def test_a_model_of_the_users_own_is_trained(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_models.py").write_text(
        "from torch import nn\n\n\ndef line(inputs: int, outputs: int, *, bias: bool) ->"
        " nn.Module:\n    return nn.Linear(inputs, outputs, bias=bias)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = [
        "model=identity",
        f"model.{TARGET}=my_models.line",
        "+model.bias=true",
        "allow_targets=[my_models]",
    ]
    ended = command(*few(*mine, "name=a"))
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset=ring"], "dataset must have labelled rows with pivots, got GaussianModes"),
        (["model=mlp"], "model must work for 2 features and 1 logits"),
        (
            ["regularizer=minmax", "estimator=n_pair"],
            "estimator must give nats, got NPair, a loss; use estimator=js",
        ),
        (
            ["regularizer=mine_bottleneck"],
            (
                "regularizer: this penalty needs input, representation, but the model exposes only"
                " logits, pivot, raw_pivot"
            ),
        ),
        (
            ["regularizer=minmax", "regularizer.lam=-1"],
            "regularizer.lam must be 0 or more and finite, got -1",
        ),
        (
            ["dataset=table", "dataset.path=nowhere.csv"],
            "dataset.path must name a CSV, Parquet or HDF5 file, but nowhere.csv",
        ),
    ],
)
def test_the_launcher_names_the_key_that_does_not_fit(
    arguments: list[str], message: str, command: Command
) -> None:
    ended = command(*few(*arguments))
    assert ended.code == 2
    assert ended.err.startswith(f"refused: {message}")
