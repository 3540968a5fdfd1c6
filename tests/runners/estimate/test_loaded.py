"""Pointwise values and trained critics: every test row has a value, and other rows are read without
training.
"""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import Background

Command = Callable[..., Any]
SPLIT = ["dataset.folds=null"]
TABLE = ["dataset=arrays", "dataset.path=pairs.npz"]
FOLDS = ["dataset.folds=3", "dataset.validation=0.1"]
LOAD = ["runner.load=outputs/runs/a"]
OTHER = "must name a run with the networks of these settings, but those of outputs/runs/a are built"


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run named a, of three folds of 90 rows."""
    folder = tmp_path_factory.mktemp("folds")
    save(folder / "pairs.npz", 90, 0)
    assert Background(["name=a", *TABLE, *FOLDS], folder).ended().code == 0
    return folder


@pytest.fixture
def trained(command: Command, folds: Path) -> Command:
    """The launcher in a copy of that folder."""
    shutil.copytree(folds, ".", dirs_exist_ok=True)
    return command


def save(path: str | Path, rows: int, seed: int, dim: int = 2) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, dim))
    np.savez(path, x=x, y=x + random.normal(size=x.shape))


def metrics(name: str) -> dict[str, Any]:
    return json.loads(Path(f"outputs/runs/{name}/result.json").read_text())["metrics"]


def pointwise(name: str) -> dict[str, np.ndarray]:
    """The columns of a run's table."""
    table = pd.read_parquet(f"outputs/runs/{name}/pointwise.parquet")
    return {str(column): table[column].to_numpy() for column in table.columns}


def test_every_row_has_a_pointwise_value_and_their_mean_is_the_bound(trained: Command) -> None:
    table = pointwise("a")
    assert [*table] == ["row", "fold", "pmi"]
    assert sorted(table["row"]) == list(range(90))
    by_fold = [table["pmi"][table["fold"] == fold].mean() for fold in range(3)]
    assert by_fold == pytest.approx(metrics("a")["mi_replicates"], abs=1e-5)
    assert metrics("a")["mi_lower_bound"] == pytest.approx(table["pmi"].mean(), abs=1e-5)


@pytest.mark.parametrize(
    "split", [SPLIT, FOLDS, [*SPLIT, "replicates=2"]], ids=["one split", "folds", "replicates"]
)
def test_a_row_number_is_its_place_in_the_table(split: list[str], command: Command) -> None:
    """The score is x . y, and the log-ratio that JS implies is the score itself."""
    save("pairs.npz", 90, 0)
    plain = ["critic=inner_product", "estimator=js", "dataset.transform=none"]
    assert command("name=a", *TABLE, *split, *plain).code == 0
    arrays, table = np.load("pairs.npz"), pointwise("a")
    products = (arrays["x"] * arrays["y"]).sum(1)
    np.testing.assert_allclose(table["pmi"], products[table["row"]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("estimator", ["club", "barber_agakov"])
def test_estimators_that_imply_no_ratio_leave_the_column_empty(
    estimator: str, command: Command
) -> None:
    save("pairs.npz", 60, 0)
    assert command("name=a", *TABLE, f"estimator={estimator}").code == 0
    assert np.isnan(pointwise("a")["pmi"]).all()


def test_pairs_that_stand_in_no_table_leave_no_file_and_force_removes_an_old_one(
    trained: Command,
) -> None:
    assert trained("name=a", "force=true").code == 0
    assert not Path("outputs/runs/a/pointwise.parquet").exists()


def test_every_folds_critic_reads_all_rows_and_the_values_are_averaged(trained: Command) -> None:
    assert trained("name=b", *TABLE, *LOAD).code == 0
    table, found = pointwise("b"), metrics("b")
    assert [sorted(table["row"][table["fold"] == fold]) for fold in range(3)] == [
        list(range(90))
    ] * 3
    assert len(set(found["mi_replicates"])) == 3
    assert found["mi"] == pytest.approx(np.mean(found["mi_replicates"]))
    assert found["stderr_of"] == "test rows by influence values"


@pytest.mark.parametrize("transform", ["none", "standardise", "gaussian_ranks"])
def test_rows_go_through_the_transform_of_the_training_rows(
    transform: str, command: Command
) -> None:
    """The run's own test rows give the same reading, whatever transform the new table names."""
    save("pairs.npz", 90, 0)
    change = f"dataset.transform={transform}"
    assert command("name=a", *TABLE, *SPLIT, "estimator=dv", change).code == 0
    first = pointwise("a")
    arrays = np.load("pairs.npz")
    np.savez("new.npz", x=arrays["x"][first["row"]], y=arrays["y"][first["row"]])
    new = ["dataset=arrays", "dataset.path=new.npz", "estimator=dv"]
    assert command("name=b", *new, *LOAD).code == 0
    np.testing.assert_allclose(pointwise("b")["pmi"], first["pmi"], atol=1e-5)
    assert metrics("b")["mi"] == pytest.approx(metrics("a")["mi"], abs=1e-5)


def test_a_run_on_sampled_pairs_reads_rows_too(command: Command) -> None:
    save("pairs.npz", 40, 0)
    assert command("name=a", "replicates=2").code == 0
    assert command("name=b", *TABLE, *LOAD).code == 0
    assert math.isfinite(metrics("b")["mi"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runner.load=nowhere"], "runner.load must name the folder of a run"),
        (
            [*LOAD, "critic=concat"],
            OTHER,
        ),
        (
            [*LOAD, "critic.hidden=[9]"],
            OTHER,
        ),
        (
            [*LOAD, "critic.activation=Tanh"],
            OTHER,
        ),
        (
            [*LOAD, "estimator=nwj"],
            OTHER,
        ),
        ([*LOAD, "estimator=ksg"], "runner.load must be null for KSG, which trains nothing"),
        (
            [*LOAD, "dataset.path=wide.npz"],
            (
                "runner.load reads x and y of [2, 2] columns in outputs/runs/a, but these rows have"
                " [3, 3]"
            ),
        ),
    ],
)
def test_a_wrong_run_is_refused_in_one_line(
    arguments: list[str], words: str, trained: Command
) -> None:
    save("wide.npz", 40, 0, dim=3)
    ended = trained("name=b", *TABLE, *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("outputs/runs/b").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda run: (run / "checkpoint.pt").write_bytes(b"torn"),
            "is damaged or not a checkpoint",
        ),
        (lambda run: (run / "checkpoint.pt").unlink(), "there is no outputs/runs/a/checkpoint.pt"),
        (
            lambda run: (run / "result.json").write_text('{"status": "failed"}'),
            "is failed; complete it first",
        ),
    ],
)
def test_a_run_that_did_not_end_well_is_refused_in_one_line(
    spoil: Callable[[Path], Any], words: str, trained: Command
) -> None:
    spoil(Path("outputs/runs/a"))
    ended = trained("name=b", *TABLE, *LOAD)
    assert ended.code == 2
    assert ended.err.startswith("refused: runner.load must name a ")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_rows_sampled_anew_are_no_table_to_read(trained: Command) -> None:
    ended = trained("name=b", *LOAD, "dataset=correlated_gaussians")
    assert ended.code == 2
    assert (
        "runner.load reads the rows of a table, got CorrelatedGaussians; use dataset=arrays"
        in ended.err
    )


def test_other_settings_of_the_same_estimator_are_refused(command: Command) -> None:
    save("pairs.npz", 60, 0)
    assert command("name=a", *TABLE, "estimator=smile").code == 0
    ended = command("name=b", *TABLE, *LOAD, "estimator=smile", "estimator.tau=0.01")
    assert ended.code == 2
    assert OTHER in ended.err


def test_a_run_that_ended_between_two_evaluations_is_refused(command: Command) -> None:
    """Its last evaluation may have chosen other weights than those in its checkpoint."""
    save("pairs.npz", 60, 0)
    assert command("name=a", *TABLE, "runner.steps=5", "runner.eval_every=3").code == 0
    ended = command("name=b", *TABLE, *LOAD)
    assert ended.code == 2
    assert "had its last at step 3 of 5" in ended.err


def test_force_does_not_delete_the_run_that_is_loaded(trained: Command) -> None:
    before = Path("outputs/runs/a/checkpoint.pt").read_bytes()
    ended = trained("name=a", "force=true", *TABLE, *LOAD)
    assert ended.code == 2
    assert "load must not be the run that force=true would delete" in ended.err
    assert Path("outputs/runs/a/checkpoint.pt").read_bytes() == before
