"""The Gaussian estimator against determinants, its bias and its error, and rows that every
estimator refuses.
"""

import math
import time

import numpy as np
import pytest
import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimator
from infobound.estimators.binned import Binned
from infobound.estimators.gaussian import Gaussian
from infobound.estimators.ksg import KSG

ESTIMATORS = [
    KSG(k=3, version=1, lnc=None),
    Gaussian(unbiased=True),
    Binned(bins=4, edges="population", miller_madow=False),
]
NAN, INFINITE = float("nan"), float("inf")


def normal(
    rows: int, dim_x: int, dim_y: int, rho: float = 0.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = (
        torch.randn(rows, dim, generator=generator, dtype=torch.float64) for dim in (dim_x, dim_y)
    )
    shared = min(dim_x, dim_y)
    y[:, :shared] = rho * x[:, :shared] + math.sqrt(1 - rho**2) * y[:, :shared]
    return x, y


def by_determinants(x: Tensor, y: Tensor) -> float:
    sides = [
        np.linalg.slogdet(np.atleast_2d(np.cov(side.numpy().T)))[1]
        for side in (x, y, torch.cat([x, y], dim=1))
    ]
    return (sides[0] + sides[1] - sides[2]) / 2


@pytest.mark.parametrize(("dim_x", "dim_y"), [(1, 1), (3, 5), (6, 2)])
def test_canonical_correlations_give_the_ratio_of_determinants(dim_x: int, dim_y: int) -> None:
    x, y = normal(200, dim_x, dim_y, 0.8)
    x = (
        x
        @ torch.randn(dim_x, dim_x, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        + 5
    )
    assert Gaussian(unbiased=False)(x, y).value == pytest.approx(by_determinants(x, y), rel=1e-9)


def test_the_closed_form_is_within_four_standard_errors() -> None:
    value, stderr = Gaussian(unbiased=True)(*normal(20_000, 3, 3, 0.7))
    assert stderr < 0.01
    assert abs(value + 1.5 * math.log(1 - 0.49)) < 4 * stderr


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_small_samples_are_read_without_bias(rho: float) -> None:
    truth = -1.5 * math.log(1 - rho**2)
    values = np.array(
        [
            [Gaussian(unbiased=u)(*normal(30, 4, 3, rho, s)).value for u in (True, False)]
            for s in range(400)
        ]
    )
    error = values[:, 0].std() / math.sqrt(400)
    assert abs(values[:, 0].mean() - truth) < 4 * error
    assert values[:, 1].mean() - truth > 0.15


def test_the_standard_error_is_the_spread_over_samples() -> None:
    results = [Gaussian(unbiased=True)(*normal(300, 2, 2, 0.6, seed)) for seed in range(200)]
    spread = float(np.std([each.value for each in results]))
    assert float(np.mean([each.stderr for each in results])) == pytest.approx(spread, rel=0.25)


def test_constant_and_repeated_columns_change_nothing() -> None:
    x, y = normal(300, 2, 2, 0.6)
    padded = torch.cat([x, x[:, :1], torch.ones(300, 1)], dim=1)
    assert Gaussian(unbiased=True)(padded, y).value == pytest.approx(
        Gaussian(unbiased=True)(x, y).value
    )


def test_a_constant_has_no_information() -> None:
    assert Gaussian(unbiased=True)(torch.ones(50, 2), torch.randn(50, 3)) == (0, 1 / 50)


def test_a_linear_function_is_refused_instead_of_infinite() -> None:
    x, _ = normal(100, 2, 1)
    with pytest.raises(ValueError, match=r"^x and y must not determine each other"):
        Gaussian(unbiased=True)(x, x @ torch.tensor([[1.0], [2.0]], dtype=torch.float64))


@pytest.mark.slow
def test_fifty_by_fifty_columns_take_less_than_a_tenth_of_a_cpu_second() -> None:
    x, y = normal(10_000, 50, 50, 0.5)
    times = []
    for _ in range(5):
        started = time.process_time()
        Gaussian(unbiased=True)(x, y)
        times.append(time.process_time() - started)
    assert min(times) < 0.1


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.randn(20), torch.randn(20, 1), "x must have the shape"),
        (torch.randn(20, 1), torch.randn(20, 1, 1), "y must have the shape"),
        (
            torch.randn(20, 1),
            torch.randn(19, 1),
            "x and y must be paired by row, got 20 and 19 rows",
        ),
        (
            torch.tensor([[0.0], [NAN], [INFINITE]]),
            torch.randn(3, 1),
            "x must be finite, got 2 NaN or infinite",
        ),
        (torch.randn(1, 1), torch.randn(1, 1), "x and y must have at least"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(
    estimator: SampleEstimator, x: Tensor, y: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{message}"):
        estimator(x, y)
