"""Distances compare columns of unlike scale, and find a few informative ones among many."""

import math

import numpy as np
import pytest
import torch

from infobound.estimators.base import SampleEstimator
from infobound.estimators.comparable import comparable
from infobound.estimators.knn_entropy import KNNEntropy
from infobound.estimators.ksg import KSG
from infobound.estimators.lnc import LNC
from infobound.estimators.mixture_knn import MixtureKNN

ROWS, RHO = 1500, 0.8
TRUTH = -math.log(1 - RHO**2) / 2
X, NOISE, OTHER = np.random.default_rng(0).normal(size=(3, ROWS, 1))
Y = RHO * X + math.sqrt(1 - RHO**2) * NOISE
MANY = np.random.default_rng(1).normal(size=(ROWS, 40))
BY_NEIGHBOURS = {
    "ksg": KSG(),
    "mixture_knn": MixtureKNN(),
    "lnc": LNC(),
    "knn_entropy": KNNEntropy(),
}
every = pytest.mark.parametrize("estimator", BY_NEIGHBOURS.values(), ids=BY_NEIGHBOURS)


def read(estimator: SampleEstimator, x: np.ndarray, y: np.ndarray) -> float:
    return estimator(torch.tensor(x), torch.tensor(y)).value


@every
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X, 1e-5 * Y),
        (1e5 * X, Y),
        (np.hstack([X, 1e4 * OTHER]), Y),
        (np.hstack([1e4 * X, OTHER]), 1e-3 * Y),
    ],
    ids=["small y", "large x", "large noise", "small noise"],
)
def test_columns_of_unlike_scale_do_not_drown(
    estimator: SampleEstimator, x: np.ndarray, y: np.ndarray
) -> None:
    assert abs(read(estimator, x, y) - TRUTH) < 0.12


@pytest.mark.parametrize("estimator", [KSG(), MixtureKNN()], ids=["ksg", "mixture_knn"])
def test_one_informative_column_among_many_does_not_drown(estimator: SampleEstimator) -> None:
    assert abs(read(estimator, np.hstack([MANY, X]), Y) - TRUTH) < 0.1
    assert abs(read(estimator, Y, np.hstack([MANY, X])) - TRUTH) < 0.1


def test_a_column_whose_sign_is_lost_does_not_drown_either() -> None:
    bent = X**2 + 0.3 * NOISE
    alone = read(KSG(), X, bent)
    assert alone > 1
    assert abs(read(KSG(), np.hstack([MANY, X]), bent) - alone) < 0.15


def test_many_columns_that_tell_nothing_are_read_as_nothing() -> None:
    assert abs(read(KSG(), MANY, Y)) < 0.04
    assert abs(read(KSG(), MANY[:, :20], MANY[:, 20:])) < 0.06


def test_columns_of_like_scale_stay_as_they_are() -> None:
    x, y = comparable(np.hstack([X, 5 * OTHER]), Y)
    np.testing.assert_array_equal(x, np.hstack([X, 5 * OTHER]))
    np.testing.assert_array_equal(y, Y)


def test_equal_values_stay_equal_and_constants_do_no_harm() -> None:
    x, y = comparable(np.hstack([1e3 * X.round(), np.ones((ROWS, 1)), MANY]), Y)
    assert len(np.unique(x[:, 0])) == len(np.unique(X.round()))
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()


def test_a_scale_that_means_something_can_be_kept() -> None:
    """Classes that lie far apart: neighbours then share a class."""
    label = 1e4 * (np.random.default_rng(2).random((ROWS, 1)) < 0.5)
    far = read(KSG(scale=False), label, X + label / 1e4)
    assert far == pytest.approx(read(MixtureKNN(), label, X + label / 1e4), abs=0.03)
