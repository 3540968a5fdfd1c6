"""Copies of rows are told from equal rows of discrete tables, and stay in one split."""

import itertools
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import infobound as ib
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.units import joined, repeated
from infobound.errors import UntrustedEstimate
from infobound.runners.critics.evaluation import GROUPS
from infobound.runners.critics.splits import Split, split_rows

CPU = torch.device("cpu")
ROWS = 1000
SOURCE = np.random.default_rng(7)
X = SOURCE.normal(size=ROWS)
Y = 0.8 * X + 0.6 * SOURCE.normal(size=ROWS)
DIGITS = SOURCE.integers(0, 17, (ROWS, 64))
AGE = SOURCE.integers(18, 90, ROWS)
CODE = SOURCE.integers(0, 100, ROWS)
RAIN = np.where(SOURCE.random((2, ROWS)) < 0.5, 0, SOURCE.exponential(size=(2, ROWS)))
SUBJECT = SOURCE.normal(size=50).repeat(20)
Column = NDArray[np.generic]


def side(values: Column) -> Tensor:
    return torch.as_tensor(np.asarray(values, np.float32)).view(len(values), -1)


def units(x: Column, y: Column) -> Tensor | None:
    return repeated(side(x), side(y))


def twice(values: Column) -> Column:
    return np.concatenate([values, values])


@pytest.mark.parametrize(
    ("x", "y"),
    {
        "continuous": (X, Y),
        "continuous and two classes": (X, Y > 0),
        "two classes each": (X > 0, Y > 0),
        "whole numbers": (X.round(), Y.round()),
        "one decimal": (X.round(1), Y.round(1)),
        "equal, with one decimal": (X.round(1), X.round(1)),
        "standardised answers": ((AGE % 5 - 2) / 1.4, (CODE % 5 - 2) / 1.4),
        "logarithms of counts": (np.log1p(AGE), np.log1p(AGE + CODE % 3)),
        "codes that determine each other": (CODE, np.random.default_rng(0).permutation(100)[CODE]),
        "mostly zero": (RAIN[0], RAIN[1]),
        "mostly zero, with one decimal": (RAIN[0].round(1), RAIN[1].round(1)),
        "constant in a subject, two classes": (SUBJECT, Y > 0),
        "images and labels": (DIGITS, AGE % 10),
        "categories": (np.eye(30)[CODE % 30], np.eye(30)[AGE % 30]),
    }.values(),
)
def test_equal_rows_of_discrete_tables_are_no_copies(x: Column, y: Column) -> None:
    assert units(x, y) is None


@pytest.mark.parametrize(
    ("x", "y"),
    [(X, Y), (X, Y > 0), (AGE, Y), (np.stack([X, CODE]).T, AGE), (DIGITS, AGE % 10)],
)
def test_copies_of_rows_have_one_number(x: Column, y: Column) -> None:
    found = units(twice(x), twice(y))
    assert found is not None
    assert torch.equal(found[:ROWS], found[ROWS:])
    assert len(found.unique()) == ROWS


def test_some_copies_among_other_rows_are_found() -> None:
    found = units(np.concatenate([X, X[:50]]), np.concatenate([Y, Y[:50]]))
    assert found is not None
    assert len(found.unique()) == ROWS
    assert units(np.concatenate([X, X[:3]]), np.concatenate([Y, Y[:3]])) is None, "too few to tell"


def test_units_of_two_kinds_are_joined() -> None:
    one, two = torch.tensor([0, 0, 1, 2, 3]), torch.tensor([5, 6, 6, 7, 8])
    assert [*map(len, joined(one, two).unique(return_counts=True))] == [3, 3]
    assert len(joined(one, two)[:3].unique()) == 1


def grouped(folds: int | None, count: int = 40) -> Arrays:
    """Rows of `count` groups of unequal sizes; x is the group."""
    groups = torch.from_numpy(np.random.default_rng(3).integers(0, count, ROWS)).sort().values
    x = groups[:, None].float()
    y = torch.randn(ROWS, 1, generator=torch.Generator().manual_seed(0))
    return Arrays(x, y, 0.1, 0.2, "none", folds=folds, groups=groups)


def parts(rows: Arrays, copy: int) -> Sequence[Tensor]:
    found = split_rows(rows, seed=0, replicates=1, device=CPU).parts
    return [found[name].x[copy][:, 0] for name in get_args(Split)]


@pytest.mark.parametrize("folds", [None, 2, 3, 5])
def test_no_group_lies_in_two_splits(folds: int | None) -> None:
    for copy in range(folds or 1):
        found = parts(grouped(folds), copy)
        for one, other in itertools.combinations(found, 2):
            assert not {*one.tolist()} & {*other.tolist()}
        assert sum(map(len, found)) == ROWS


def test_every_row_of_a_group_is_a_test_row_once() -> None:
    found = split_rows(grouped(3), seed=0, replicates=1, device=CPU).parts["test"]
    assert sorted(torch.cat([*found.rows]).tolist()) == [*range(ROWS)]
    assert max(map(len, found.rows)) - min(map(len, found.rows)) < 50, "about two groups"


def test_most_groups_are_in_one_part_of_the_jackknife() -> None:
    test = parts(grouped(3), 0)[2]
    among = [{*piece.tolist()} for piece in test.tensor_split(GROUPS)]
    shared = [sum(group in piece for piece in among) for group in {*test.tolist()}]
    assert max(shared) <= 4
    assert sum(shared) / len(shared) < 2


def test_too_few_groups_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match=r"the rows form 2 groups, each of which stays in one"):
        split_rows(grouped(3, count=2), seed=0, replicates=1, device=CPU)


def test_copies_across_groups_join_them() -> None:
    groups = torch.arange(2 * ROWS) // 2
    x, y = side(twice(X)), side(twice(Y))
    about = Arrays(x, y, 0.1, 0.2, "none", folds=3, groups=groups).about
    assert about.units is not None
    assert len(about.units.unique()) == ROWS // 2
    assert [warning.split(",")[0] for warning in about.warnings] == [
        "1000 of 2000 rows are copies of the other 1000"
    ]


def test_estimators_without_a_critic_read_one_of_each_copy() -> None:
    once = ib.estimate(X[:300], Y[:300], estimator="ksg")
    with pytest.warns(UntrustedEstimate, match="300 of 600 rows are copies of the other 300"):
        found = ib.estimate(twice(X[:300]), twice(Y[:300]), estimator="ksg")
    assert (found.mi, found.stderr) == pytest.approx((once.mi, once.stderr), rel=0.02)
    assert found.p_value() == once.p_value()


def test_estimators_without_a_critic_say_that_they_do_not_know_groups() -> None:
    with pytest.warns(UntrustedEstimate, match="rows of a group are read as independent ones"):
        ib.estimate(X, Y, estimator="gaussian", groups=np.arange(ROWS) // 10)
