"""Statistics of dependence are chi-squared where there is none, and right where there is some."""

import math

import pytest
import torch
from torch import Tensor

from infobound.datasets.dependence import (
    CUMULANTS,
    FREEDOM,
    by_rank,
    chance,
    dependence,
    hermite,
    normal_levels,
    not_gaussian,
)

ROWS, TABLES = 1000, 200


def scores(columns: Tensor) -> Tensor:
    return by_rank(columns, normal_levels(len(columns)))


def normal(columns: int, seed: int) -> Tensor:
    return torch.randn(ROWS, columns, generator=torch.Generator().manual_seed(seed)).double()


def test_hermite_polynomials_are_uncorrelated_and_of_variance_1() -> None:
    found = hermite(normal_levels(100_000))
    moments = found.T @ found / len(found)
    torch.testing.assert_close(moments, torch.eye(4).double(), rtol=0, atol=0.06)
    torch.testing.assert_close(found.mean(0), torch.zeros(4).double(), rtol=0, atol=0.01)


def test_ranks_take_levels() -> None:
    column = torch.tensor([[3.0], [-1.0], [7.0]]).double()
    assert by_rank(column, torch.tensor([10.0, 20.0, 30.0])).tolist() == [[20.0], [10.0], [30.0]]


def test_independent_columns_have_a_chi_squared_dependence() -> None:
    """The mean of 200 has a standard error of 0.4."""
    levels = hermite(normal_levels(ROWS))
    pairs = (by_rank(normal(2, seed), levels).unbind(1) for seed in range(TABLES))
    found = torch.tensor([dependence(*pair) for pair in pairs])
    assert float(found.mean()) == pytest.approx(FREEDOM, abs=1.5)
    assert (found < chance(FREEDOM, 1)).all()


@pytest.mark.parametrize("rho", [0.0, -0.5, 0.9])
def test_normal_columns_are_near_a_gaussian_copula(rho: float) -> None:
    """The mean of 200 has a standard error of 0.2."""
    found = list[float]()
    for seed in range(TABLES):
        x = normal(2, seed)
        x[:, 1] = rho * x[:, 0] + math.sqrt(1 - rho**2) * x[:, 1]
        found.append(float(not_gaussian(*scores(x).split(1, 1))))
    assert 4 < torch.tensor(found).mean() < 7
    assert max(found) < chance(CUMULANTS, 1)


def test_the_distance_from_a_gaussian_copula_is_that_of_cumulants_of_uncorrelated_columns() -> None:
    x = normal(2, 0)
    x[:, 1] += 0.7 * x[:, 0] + 0.5 * x[:, 0].square()
    columns = scores(x)
    a, b = (columns / columns.std(0, correction=0)).unbind(1)
    rho = float((a * b).mean())
    c = (b - rho * a) / math.sqrt(1 - rho**2)
    joint = {2: [a * a * c, a * c * c], 6: [c**3, a**3 * c, a * c**3]}
    sizes = [float(each.mean()) ** 2 / size for size, same in joint.items() for each in same]
    sizes += [float((a * a * c * c).mean() - 1) ** 2 / 4, float((c**4).mean() - 3) ** 2 / 24]
    found = float(not_gaussian(a.unsqueeze(1), b.unsqueeze(1)))
    assert found == pytest.approx(ROWS * sum(sizes), rel=0.1)
    assert found > 10 * chance(CUMULANTS, 1)
