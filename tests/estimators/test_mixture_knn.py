"""Nearest neighbours for mixtures, against KSG, counts and integrals."""

import math
import time

import numpy as np
import pytest
import torch
from scipy.special import digamma, gammainc
from torch import Tensor

from infobound.estimators.ksg import KSG
from infobound.estimators.mixture_knn import MixtureKNN
from infobound.estimators.neighbours import count_within

SOURCE = np.random.default_rng


def column(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(len(values), -1)


def test_without_ties_it_is_ksg() -> None:
    x, y = column(SOURCE(0).normal(size=(300, 2))), column(SOURCE(1).normal(size=(300, 2)))
    y = x + y
    expected, read = KSG(k=4)(x, y), MixtureKNN(k=4)(x, y)
    assert read == pytest.approx(expected, abs=1e-9)


def test_a_table_of_classes_is_counted() -> None:
    """Digamma of a count instead of its logarithm."""
    x = SOURCE(0).integers(3, size=600)
    y = (x + SOURCE(1).integers(2, size=600)) % 3
    of_x, of_y = np.bincount(x), np.bincount(y)
    of_xy = np.bincount(3 * x + y)
    terms = digamma(of_xy[3 * x + y]) - digamma(of_x[x]) - digamma(of_y[y]) + digamma(600)
    assert MixtureKNN()(column(x), column(y)).value == pytest.approx(terms.mean(), abs=1e-9)
    assert terms.mean() == pytest.approx(math.log(3) - math.log(2), abs=0.03)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_class_plus_uniform_noise(classes: int) -> None:
    """y = x + u, u uniform on [0, 2]: log m - (m - 1) / m log 2. Gao et al. 2017, section 5."""
    x = SOURCE(0).integers(classes, size=2000)
    y = x + SOURCE(1).uniform(0, 2, size=2000)
    truth = math.log(classes) - (classes - 1) / classes * math.log(2)
    for sides in ((x, y), (y, x)):
        value, stderr = MixtureKNN()(*map(column, sides))
        assert abs(value - truth) < 3 * stderr + 0.01


def test_values_that_are_clipped_at_zero() -> None:
    """Half of x = y = max(z, 0) is 0: the atom has p log 1/p, and what is above grows with log N.
    So y is clipped of its own, independent half: 0 nats.
    """
    x, y = (np.maximum(SOURCE(seed).normal(size=2000), 0) for seed in range(2))
    assert abs(MixtureKNN()(column(x), column(y)).value) < 0.03


@pytest.mark.parametrize("rho", [0.0, 0.75])
@pytest.mark.parametrize("steps", [2, 10, 100])
def test_normal_pairs_that_are_rounded(rho: float, steps: int) -> None:
    """Distances tie without being 0. Over 100 other tables the error is 0.092 at most."""
    x, y = SOURCE(3).normal(size=(2, 1000))
    x, y = ((each * steps).round() / steps for each in (x, rho * x + (1 - rho**2) ** 0.5 * y))
    truth = -np.log1p(-(rho**2)) / 2
    assert MixtureKNN()(column(x), column(y)).value == pytest.approx(truth, abs=0.1)


def test_poisson_counts_with_too_many_zeros() -> None:
    """x exponential, y Poisson of mean x, or 0 with probability p, whose information is a sum over
    counts. Gao et al. 2017, section 5.
    """
    share, rows = 0.15, 3000
    x = SOURCE(0).exponential(size=rows)
    y = np.where(SOURCE(1).random(rows) < share, 0, SOURCE(2).poisson(x))
    value, stderr = MixtureKNN()(column(x), column(y))
    assert abs(value - poisson(share)) < 3 * stderr + 0.01


def poisson(share: float) -> float:
    """H(y) - H(y | x) by quadrature; P(y = n) = (1 - p) / 2^(n + 1), and p more at 0."""
    x = (np.arange(40_000) + 0.5) * 1e-3
    weight = np.exp(-x) * 1e-3
    total = 0.0
    for n in range(40):
        below = gammainc(n, x) if n else 1.0
        conditional = (1 - share) * (below - gammainc(n + 1, x)) + share * (n == 0)
        marginal = (1 - share) / 2 ** (n + 1) + share * (n == 0)
        total += float((weight * conditional * np.log(conditional / marginal)).sum())
    return total


def test_a_distance_counts_what_its_rounding_would_lose() -> None:
    points = np.round(SOURCE(0).normal(size=(400, 1)), 1) + 1e6
    radius = np.abs(points[:, 0] - points[SOURCE(1).integers(400, size=400), 0])
    for each in (radius, np.nextafter(radius, 0), np.zeros(400)):
        each = np.maximum(each, 0)
        expected = (np.abs(points - points.T) <= each[:, None]).sum(1) - 1
        np.testing.assert_array_equal(count_within(points, each), expected)


def test_ten_thousand_rows_of_few_values_take_no_second() -> None:
    x = column(SOURCE(0).integers(3, size=10_000))
    started = time.process_time()
    assert MixtureKNN()(x, x).value == pytest.approx(math.log(3), abs=1e-3)
    assert time.process_time() - started < 1


def test_a_number_of_neighbours_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^k must be a positive integer, got 0"):
        MixtureKNN(k=0)
