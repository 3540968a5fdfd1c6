"""Every runner that trains: its trained networks are read again from the run's folder, with the
run's own settings.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infobound.conf import choices

Command = Callable[..., Any]
PACE = ["runner.steps=4", "runner.log_every=2", "runner.eval_every=2", "runner.batch_size=8"]
PROBED = ["dataset=mnist_halves", "runner.probe_every=2", "replicates=2"]
TINY = {
    "estimate": [*PACE, "dataset=arrays", "dataset.path=pairs.npz", "critic.hidden=[8]"],
    "classify": [
        *PACE,
        "dataset=mnist",
        "dataset.validation=10",
        "model.hidden=[8]",
        "model.bottleneck=4",
    ],
    "invariant": [
        *PACE,
        "dataset=bivariate",
        "critic=score_and_pivot",
        "critic.hidden=[8]",
        "regularizer=kl_update",
        "model.hidden=[8]",
        "runner.eval_rows=100",
        "runner.test_rows=200",
        "runner.permutations=0",
        "replicates=2",
    ],
    "represent": [*PACE, *PROBED, "critic=bilinear", "model.hidden=[8]"],
    "adversarial": [*PACE, *PROBED, "model.couplings=2", "model.hidden=[8]", "runner.warm_up=2"],
    "gan": [*PACE, "dataset=ring", "runner.eval_samples=40", "replicates=2"],
    "information_plane": [
        "dataset=bit_patterns",
        "dataset.bits=5",
        "runner.batch_size=8",
        "runner.epochs=2",
        "runner.readings=[2]",
        "critic=none",
        "estimator=binned",
        "model.noise=0",
        "model.hidden=[3]",
    ],
    "infoshape": [
        *PACE,
        "dataset=two_classes",
        "dataset.dim=2",
        "critic=concat",
        "critic.hidden=[8]",
        "critic.negatives=1",
        "model.hidden=[8]",
        "runner.warm_up=1",
        "runner.train_rows=40",
        "runner.test_rows=40",
        "runner.estimates.steps=2",
        "runner.estimates.batch_size=8",
        "runner.estimates.eval_batches=1",
        "runner.estimates.eval_batch_size=16",
        "runner.classifier.steps=4",
        "runner.classifier.batch_size=8",
    ],
}
"""Settings of a run that takes a second, by runner."""
REFUSED = {"staircase": "which reads batches during training"}
OF_THE_COURSE = ("_rise", "dpi_violation", "mi_training")
"""Metrics of the training, not of its result."""


def trainable() -> list[str]:
    """The runners that train something."""
    folder = choices.CONFIGURATIONS / "runner"
    return [
        name
        for name in choices.options("runner")
        if "settings/training@" in (folder / f"{name}.yaml").read_text()
    ]


def metrics(name: str) -> dict[str, Any]:
    return json.loads(Path(f"outputs/runs/{name}/result.json").read_text())["metrics"]


def save(path: str, rows: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    np.savez(path, x=x, y=x + np.random.default_rng(seed + 1).normal(size=x.shape))


def test_every_runner_that_trains_is_among_these() -> None:
    assert sorted(trainable()) == sorted({*TINY, *REFUSED})


@pytest.mark.parametrize("runner", TINY)
def test_what_was_trained_reads_again_as_it_did(
    runner: str, command: Command, data_dir: Path
) -> None:
    save("pairs.npz", 60, 0)
    own = [f"runner={runner}", f"data_dir={data_dir}"]
    ended = command("name=a", *own, *TINY[runner])
    assert ended.code == 0, ended.err
    again = command("name=b", "runner.load=outputs/runs/a")
    assert again.code == 0, again.err
    trained, loaded = metrics("a"), metrics("b")
    told = {
        name: each for name, each in trained.items() if not any(w in name for w in OF_THE_COURSE)
    }
    if runner == "estimate":  # of all rows of the table, where the run was of its test rows
        assert math.isfinite(loaded["mi"])
    else:
        assert {name: loaded[name] for name in told} == told
    assert not Path("outputs/runs/b/checkpoint.pt").exists()


def table(path: str, rows: int, seed: int) -> pd.DataFrame:
    """Labelled rows with two pivots, a text feature, and a feature with missing values."""
    random = np.random.default_rng(seed)
    label, mass = random.integers(2, size=rows), random.normal(size=rows)
    frame = pd.DataFrame(
        {
            "_label": np.where(label, "signal", "noise"),
            "_pivot_mass": mass,
            "_pivot_kind": random.choice(["a", "b", "c"], rows),
            "x": random.normal(size=rows) + label + mass,
            "job": random.choice(["u", "v", "w"], rows),
            "z": random.normal(size=rows),
        }
    )
    frame.loc[::7, "z"] = np.nan
    frame.to_csv(path, index=False)
    return frame


@pytest.fixture
def scoring(command: Command) -> pd.DataFrame:
    """The table in a.csv, with which a run named a has trained two classifiers."""
    frame = table("a.csv", 600, 0)
    settings = [
        each.replace("bivariate", "table")
        for each in TINY["invariant"]
        if not each.startswith("runner.test_rows")
    ]
    own = ["dataset.path=a.csv", "dataset.missing=median", "model.normalise=batch"]
    ended = command("runner=invariant", "name=a", *settings, *own)
    assert ended.code == 0, ended.err
    return frame


def test_classifiers_score_the_rows_of_another_table(
    scoring: pd.DataFrame, command: Command
) -> None:
    """The run's test rows in a separate file give the same reading, for any order of the columns
    and for fewer categories.
    """
    first = pd.read_parquet("outputs/runs/a/predictions.parquet")
    first = first[first["copy"] == 0].reset_index(drop=True)
    rows = scoring.iloc[first["row"]].drop(columns=["_label"]).assign(_label=scoring["_label"])
    rows.to_csv("new.csv", index=False)
    ended = command("name=b", "runner.load=outputs/runs/a", "dataset.path=new.csv")
    assert ended.code == 0, ended.err
    found = pd.read_csv("outputs/runs/b/predictions.csv")
    assert len(found) == 2 * len(rows)
    again = found[found["copy"] == 0].reset_index(drop=True)
    for name in ("label", "mass", "kind", "logit", "score"):
        np.testing.assert_allclose(again[name], first[name], rtol=1e-4, atol=1e-5)
    for name in ("auc", "accuracy", "mi_critic", "mi"):
        wanted = metrics("a")[f"{name}_replicates"][0]
        assert metrics("b")[f"{name}_replicates"][0] == pytest.approx(wanted, abs=1e-4)
    assert "ams" not in metrics("b"), "its threshold would be chosen by the rows that it is read on"
    few = scoring[(scoring["job"] != "w") & (scoring["_pivot_kind"] != "a")]
    few.to_csv("few.csv", index=False)
    assert command("name=c", "runner.load=outputs/runs/a", "dataset.path=few.csv").code == 0
    kinds = pd.read_csv("outputs/runs/c/predictions.csv")["kind"]
    assert sorted(kinds.unique()) == [1, 2]


def test_a_table_that_does_not_fit_is_refused_in_one_line(
    scoring: pd.DataFrame, command: Command
) -> None:
    for name, frame, words in [
        ("lacking", scoring.drop(columns="x"), "must have the features x, job=u"),
        ("more", scoring.assign(job=scoring["job"].replace("u", "new")), "job=new additional"),
        ("class", scoring.assign(_label=scoring["_label"].replace("noise", "other")), "other too"),
        ("pivot", scoring.rename(columns={"_pivot_mass": "_pivot_m"}), "must have the pivot mass"),
    ]:
        frame.to_csv(f"{name}.csv", index=False)
        ended = command("name=b", "runner.load=outputs/runs/a", f"dataset.path={name}.csv")
        assert ended.code == 2, name
        assert words in ended.err
        assert ended.err.count("\n") == 1
    for arguments, words in [
        (["seed=1"], "runner.load reads the rows that outputs/runs/a tested, which depend on seed"),
        (["model.hidden=[9]"], "those of outputs/runs/a are built differently"),
        (["replicates=3"], "replicates must be 2, as in outputs/runs/a, got 3; use replicates=2"),
        (["regularizer=mmd"], "those of outputs/runs/a are built differently"),
    ]:
        ended = command("name=b", "runner.load=outputs/runs/a", *arguments)
        assert ended.code == 2, arguments
        assert words in ended.err


def test_encoders_encode_the_rows_of_another_table(command: Command, data_dir: Path) -> None:
    own = ["runner=represent", f"data_dir={data_dir}", *TINY["represent"]]
    assert command("name=a", *own).code == 0
    assert command("name=b", "runner.load=outputs/runs/a").code == 0
    codes = pd.read_csv("outputs/runs/b/codes.csv")
    assert len(codes) == 2 * 20
    random = np.random.default_rng(0)
    np.savez("rows.npz", x=random.normal(size=(30, 392)), y=random.normal(size=(30, 392)))
    new = ["dataset=arrays", "dataset.path=rows.npz"]
    ended = command("name=c", "runner.load=outputs/runs/a", *new)
    assert ended.code == 0, ended.err
    encoded = pd.read_csv("outputs/runs/c/codes.csv")
    assert len(encoded) == 2 * 30
    assert {*codes} - {"label"} == {name.replace("x_", "z_") for name in encoded if name[0] != "y"}
    assert math.isfinite(metrics("c")["mi"])


def test_generators_make_as_many_samples_as_are_asked_for(command: Command) -> None:
    assert command("runner=gan", "name=a", *TINY["gan"]).code == 0
    ended = command("name=b", "runner.load=outputs/runs/a", "runner.eval_samples=3000")
    assert ended.code == 0, ended.err
    made = np.load("outputs/runs/b/samples.npz")
    assert made["samples"].shape == (2, 3000, 2)
    assert made["codes"].shape == (2, 3000, 2)
    assert not Path("outputs/runs/a/samples.npz").exists()


@pytest.mark.parametrize("runner", REFUSED)
def test_a_runner_that_reads_while_it_trains_says_so(runner: str, command: Command) -> None:
    assert command("name=a").code == 0
    own = [f"runner={runner}", f"dataset={runner}"]
    ended = command("name=b", *own, "runner.load=outputs/runs/a")
    assert ended.code == 2
    assert f"runner.load must be null for a {runner}, {REFUSED[runner]}" in ended.err


def test_a_run_is_named_by_its_settings(command: Command) -> None:
    save("pairs.npz", 60, 0)
    pairs = ["dataset=arrays", "dataset.path=pairs.npz"]
    for name, own in {
        "a": ["estimator=js", "seed=3"],
        "b": ["estimator=nwj", "seed=3"],
        "c": ["seed=4"],
    }.items():
        assert command(f"name={name}", *pairs, *own).code == 0
    assert command("name=d", "runner.load=seed=4").code == 0
    told = json.loads(Path("outputs/runs/d/result.json").read_text())["overrides"]
    assert "runner.load=outputs/runs/c" in told
    assert "seed=4" in told
    assert command("name=e", "runner.load=outputs/runs seed=3 estimator=nwj").code == 0
    for named, words in [
        ("seed=3", "there are 2 with seed=3; there are outputs/runs/a ("),
        ("seed=9", "there is none with seed=9; there are outputs/runs/a ("),
        ("outputs/runs", "there are 3; there are outputs/runs/a ("),
    ]:
        ended = command("name=f", f"runner.load={named}")
        assert ended.code == 2
        assert ended.err.startswith("refused: runner.load must name one completed run, but below ")
        assert words in ended.err


def test_the_best_weights_are_loaded_where_they_were_kept(command: Command) -> None:
    save("pairs.npz", 60, 0)
    own = ["runner.keep=best", "runner.steps=12", "optimizer.lr=0.5", "runner.average=0"]
    assert command("name=a", *own).code == 0
    for name, file in {"b": "", "c": "/best.pt", "d": "/checkpoint.pt"}.items():
        load = f"runner.load=outputs/runs/a{file}"
        assert command(f"name={name}", load, "dataset=arrays", "dataset.path=pairs.npz").code == 0
    assert metrics("b")["mi"] == metrics("c")["mi"] != metrics("d")["mi"]


def test_another_data_set_is_read_by_what_was_trained(command: Command) -> None:
    """Though its option brings a critic and an estimator of its own."""
    save("pairs.npz", 60, 0)
    assert command("name=a", "critic=concat", "critic.hidden=[8]").code == 0
    new = ["dataset=arrays", "dataset.path=pairs.npz"]
    assert command("name=b", "runner.load=outputs/runs/a", *new).code == 0
    assert metrics("b")["kind"] == metrics("a")["kind"]
    told = json.loads(Path("outputs/runs/b/result.json").read_text())["overrides"]
    assert {"critic=concat", "estimator=infonce", "recipe=none"} <= {*told}
