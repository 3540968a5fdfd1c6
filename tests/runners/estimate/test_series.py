"""Rows that follow one another: a warning if they are taken for independent, contiguous splits with
gaps, and errors that hold with `order: time`.
"""

import warnings
from typing import Any, NamedTuple, get_args

import pytest
import torch
from torch import Tensor

import infobound
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.interfaces import About, Order, Rows
from infobound.datasets.pairs.consistency import derived
from infobound.datasets.transforms import Transform
from infobound.errors import SettingError, UntrustedEstimate
from infobound.estimators.gaussian import Gaussian
from infobound.runners.critics.splits import Split, split_rows, training_rows
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs.records import InMemory
from infobound.runners.training.autocorrelation import memory
from infobound.runners.training.readings import Error, Reading
from tests.runners.series import autoregressive
from tests.settings import TRAINING, flat

CPU = torch.device("cpu")


class Single(NamedTuple):
    """Rows that follow one another, for a single split."""

    x: Tensor
    y: Tensor
    validation: float
    test: float | int
    folds: int | None = None
    about: About = About(order="time")
    transform: Transform = "none"
    mutual_information: float | None = None


def table(x: Tensor, y: Tensor, order: Order = "time", **changes: Any) -> Arrays:
    settings: dict[str, Any] = {"validation": 0.1, "test": 0.2, "transform": "none", "folds": 3}
    return Arrays(x, y, order=order, **{**settings, **changes})


def positions(rows: Rows, copy: int = 0, replicates: int = 1) -> dict[Split, Tensor]:
    splits = split_rows(rows, seed=0, replicates=replicates, device=CPU)
    return {name: splits.parts[name].rows[copy] for name in get_args(Split)}


def apart(first: Tensor, second: Tensor) -> int:
    """The least distance between a row of one part and a row of another."""
    return int((first[:, None] - second).abs().min())


def by_rows(rows: Arrays) -> Reading:
    settings: dict[str, Any] = {
        **TRAINING,
        "dataset": rows,
        "critic": None,
        "estimator": Gaussian(unbiased=True),
        "optimizer": None,
        "steps": 1,
        "batch_size": 2,
        "train_rows": None,
        "log_every": 1,
        "eval_every": 1,
        "eval_batches": 1,
        "eval_batch_size": 64,
        "patience": None,
    }
    return flat(Estimate, settings).measuring()(InMemory()).reading


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_of_a_series_are_contiguous_and_apart(folds: int) -> None:
    rows = table(*autoregressive(1000, 0.9, seed=0), folds=folds)
    tested = list[int]()
    for fold in range(folds):
        found = positions(rows, fold)
        ordered = found["test"].sort().values
        assert torch.equal(ordered, torch.arange(int(ordered[0]), int(ordered[-1]) + 1))
        assert not torch.equal(found["test"], ordered), "partners of a row are not its neighbours"
        assert apart(found["train"], found["test"]) > 10
        assert apart(found["train"], found["validation"]) > 10
        assert apart(found["validation"], found["test"]) > 10
        tested += ordered.tolist()
        assert 0 <= len(found["train"]) - training_rows(rows) <= 1
    assert tested == [*range(1000)]


@pytest.mark.parametrize("test", [0.2, 200])
def test_a_single_split_of_a_series_is_a_stretch_of_its_own_or_the_last_rows(
    test: float | int,
) -> None:
    x, y = autoregressive(1000, 0.9, seed=0)
    rows = Single(x, y, 0.1, test)
    starts = set[int]()
    for copy in range(3):
        found = positions(rows, copy, replicates=3)
        starts.add(int(found["test"].min()))
        assert found["test"].max() - found["test"].min() == 199
        assert apart(found["train"], found["test"]) > 10
        assert len(found["train"]) == training_rows(rows)
    assert starts == {800} if isinstance(test, int) else len(starts) == 3


def test_gaps_leave_at_least_half_of_the_training_rows() -> None:
    slow = torch.arange(600.0)[:, None]
    rows = table(slow, slow)
    assert len(positions(rows)["train"]) >= 170
    assert len(positions(table(*autoregressive(600, 0.0, seed=0)))["train"]) >= 330


def test_derived_series_still_follow_one_another() -> None:
    x, y = autoregressive(100, 0.9, seed=0)
    found = derived(table(x, y), torch.Generator())
    independence, both = found["independence"], found["additivity"]
    assert isinstance(independence, Rows)
    assert isinstance(both, Rows)
    assert torch.equal(independence.y, y.roll(-50, 0))
    assert torch.equal(both.x, torch.cat([x, x.roll(-50, 0)], 1))
    assert independence.about.order == "time"


@pytest.mark.parametrize(("phi", "rows"), [(0.0, 300), (0.9, 500), (0.99, 1000)])
def test_intervals_of_independent_series_hold_0(phi: float, rows: int) -> None:
    held = 0
    for seed in range(100):
        x, y = autoregressive(rows, phi, seed)
        value, stderr = Gaussian(unbiased=True)(x, y)
        error = memory(x, y).widened(Error(stderr, "test rows by influence values", rows - 1))
        low, high = Reading([value], error, "neither").interval
        held += low <= 0 <= high
    assert held >= 90


@pytest.mark.parametrize("phi", [0.9, 0.99])
def test_a_series_taken_for_independent_rows_is_pointed_out(phi: float) -> None:
    x, y = autoregressive(1000, phi, seed=0)
    [warning] = by_rows(table(x, y, "none")).warnings
    assert "neighbouring rows are alike" in warning
    assert "use dataset.order=time" in warning
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    assert not by_rows(table(x[order], y[order], "none")).warnings


def test_the_error_of_a_series_is_that_of_its_effective_rows() -> None:
    x, y = autoregressive(1000, 0.9, seed=0)
    error, independent = (by_rows(table(x, y, order)).error for order in get_args(Order)[::-1])
    assert error == memory(x, y).widened(independent)
    assert error.value > 2 * independent.value


def test_a_series_worth_too_few_rows_is_pointed_out() -> None:
    assert not by_rows(table(*autoregressive(1000, 0.9, seed=0))).warnings
    [warning] = by_rows(table(*autoregressive(1000, 0.999, seed=0))).warnings
    assert "differences of neighbouring rows" in warning


def test_a_critic_of_independent_series_finds_nothing_only_if_they_are_known_to_be_series() -> None:
    x, y = autoregressive(900, 0.95, seed=4)
    small = ["critic.hidden=[16]", "critic.warp=[16]", "runner.batch_size=64"]
    with pytest.warns(UntrustedEstimate, match="neighbouring rows"):
        independent = infobound.estimate(x, y, steps=20, overrides=small)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimate)
        series = infobound.estimate(x, y, steps=20, overrides=[*small, "dataset.order=time"])
    assert independent.p_value() < 0.01
    assert series.p_value() > 0.1
    assert independent.interval[0] > 0
    assert series.interval[0] == 0


def test_an_order_that_does_not_exist_is_refused() -> None:
    changes: Any = {"order": "space"}
    with pytest.raises(SettingError, match="order must be one of none, time, got space"):
        table(*autoregressive(100, 0.5, seed=0), **changes)
