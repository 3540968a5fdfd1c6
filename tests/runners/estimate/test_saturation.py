"""Whether rows show that their information may be infinite."""

import time
from typing import Any

import numpy as np
import pytest
import torch

import infobound as ib
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.pairs import beyond_normal
from infobound.errors import UntrustedEstimate
from infobound.runners.estimate.beside import beside, by_neighbours
from infobound.runners.estimate.regression import determined
from infobound.runners.estimate.saturation import saturation

X, OTHER, NOISE = np.random.default_rng(0).normal(size=(3, 2000, 1))
WIDE = np.random.default_rng(1).normal(size=(2000, 50))
LABEL = np.random.default_rng(2).integers(7, size=(2000, 1)).astype(float)


def said(x: np.ndarray, y: np.ndarray) -> str | None:
    return saturation(torch.tensor(x), torch.tensor(y))


INFINITE: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "itself": (X, X),
    "rising": (X, X**3),
    "two to one": (X, X**2),
    "many to one": (np.sin(4 * X), X),
    "a circle": (np.cos(X), np.sin(X)),
    "of two columns": (np.hstack([X, OTHER]), np.hypot(X, OTHER)),
    "a shared column": (np.hstack([X, OTHER]), np.hstack([NOISE, X])),
    "one of fifty": (WIDE, WIDE[:, 7:8]),
    "a sum of many": (WIDE, WIDE.sum(1, keepdims=True)),
    "clipped": (np.maximum(X, -0.5), np.maximum(X, -0.5)),
}
FINITE: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "independent": (X, NOISE),
    "noisy": (X, X + 0.01 * NOISE),
    "noise of six columns": (WIDE[:, :6], 0.9 * WIDE[:, :6] + 0.4 * WIDE[:, 6:12]),
    "a label": (LABEL, LABEL),
    "noise on a label": (LABEL, LABEL + 0.5 * np.abs(NOISE)),
    "rounded": (np.round(X, 1), np.round(X, 1)),
    "wide": (WIDE[:, :25], 0.9 * WIDE[:, :25] + 0.4 * WIDE[:, 25:]),
    "repeated rows": (np.repeat(X[:500], 4, 0), np.repeat(NOISE[:500], 4, 0)),
    "few": (X[:50], X[:50]),
}


@pytest.mark.parametrize("kind", INFINITE)
def test_functions_are_found(kind: str) -> None:
    for sides in (INFINITE[kind], INFINITE[kind][::-1]):
        assert "the truth may be infinite" in (said(*sides) or "")


@pytest.mark.parametrize("kind", FINITE)
def test_nothing_is_said_of_finite_information(kind: str) -> None:
    assert said(*FINITE[kind]) is None


@pytest.mark.parametrize("task", [*beyond_normal.distinct()][::4])
def test_nothing_is_said_of_public_tasks(task: str) -> None:
    rows = beyond_normal.distinct()[task].sample(1000, torch.Generator().manual_seed(0))
    assert saturation(*rows) is None


@pytest.mark.parametrize("columns", [1, 5])
def test_the_time_does_not_grow_with_the_square_of_the_rows(columns: int) -> None:
    """Four times as many rows take 2 to 4 times as long; the square would be 16 times."""
    x, y = np.random.default_rng(0).normal(size=(2, 10_000, columns))

    def seconds(rows: int) -> float:
        started = time.process_time()
        assert said(x[:rows], (x + y)[:rows]) is None
        return time.process_time() - started

    assert seconds(10_000) < 10 * max(seconds(2500), seconds(2500))


def test_an_estimate_by_neighbours_says_it() -> None:
    with pytest.warns(UntrustedEstimate, match="the truth may be infinite"):
        told: Any = ib.estimate(X, X, estimator="ksg")
    assert told.stderr > 0


def test_ties_are_pointed_out_with_the_estimator_that_counts_them() -> None:
    with pytest.warns(UntrustedEstimate, match=r"column of x and of y.*estimator=mixture_knn"):
        ib.estimate(LABEL, LABEL, estimator="ksg")
    assert ib.estimate(LABEL, LABEL, estimator="mixture_knn").warnings == ()


def test_neighbours_beside_a_critic_count_ties() -> None:
    labels = torch.tensor(LABEL)
    of_labels = beside(Arrays(labels, labels, 0.1, 0.2, "gaussian_ranks", folds=3), seed=0).metrics
    assert of_labels["mi_ksg"] == pytest.approx(np.log(7), abs=0.05)


@pytest.mark.parametrize(
    ("noise", "alarm"), [(0.0, "is a function of the other side: a regression leaves"), (0.2, "")]
)
def test_a_smooth_function_of_several_columns_is_told_from_one_with_noise(
    noise: float, alarm: str
) -> None:
    """The length of three columns, at 3,000 rows; with noise the error stays."""
    x, other = np.random.default_rng(0).normal(size=(2, 3000, 3))
    y = np.linalg.norm(x, axis=1, keepdims=True) + noise * other[:, :1]
    sides = torch.from_numpy(x), torch.from_numpy(np.hstack([y, other[:, 1:]]))
    told = saturation(*sides)
    assert alarm in (told or "")
    assert (told is None) == (noise > 0)
    assert saturation(*sides, independent=False) is None


def test_functions_with_few_values_and_dense_linear_noise_give_no_alarm() -> None:
    x = np.random.default_rng(0).normal(size=(1000, 11))
    total = x.sum(1, keepdims=True)
    for y in (np.sign(total), total.round(), total + 0.3 * x[:, :1] ** 3):
        assert determined(x[:, 1:], y) is None


def test_nearest_neighbours_read_nothing_of_independent_numbers_with_one_decimal() -> None:
    x, y = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 3000, 1)).round(1))
    assert by_neighbours(x, y).mean() == pytest.approx(0, abs=0.05)
