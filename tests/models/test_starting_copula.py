"""A copula critic starts as the copula that held-back rows favour."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.beyond_normal import tasks
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.independent import Independent
from infobound.datasets.pairs.interaction import Interaction
from infobound.datasets.pairs.maps import Bend, HalfCube
from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.datasets.pairs.noisy_function import NoisyFunction
from infobound.datasets.pairs.transformed import Transformed
from infobound.estimators import bounds
from infobound.models.critics.copula import GaussianCopula
from infobound.models.critics.copula_choice import chosen
from infobound.models.critics.starting_copula import NORMAL, constant, log_ratios

multivariate_t: Any = stats.multivariate_t  # typed as if degrees of freedom were whole numbers


def rows(joint: Joint, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows with normal margins."""
    x, y = joint.sample(count, torch.Generator().manual_seed(seed))
    return transforms.gaussian_ranks(x)(x), transforms.gaussian_ranks(y)(y)


def started(joint: Joint, count: int) -> tuple[GaussianCopula, float]:
    """A critic as it is prepared from this many rows, and its bound on fresh rows in nats."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        critic = GaussianCopula(joint.dim_x, joint.dim_y, begin=1e-6)
    critic.prepare(*rows(joint, count, seed=0))
    with torch.no_grad():
        return critic.eval(), float(bounds.dv(critic(*rows(joint, 2000, seed=1))))


@pytest.mark.parametrize("freedom", [1.0, 3.0, 20.0])
def test_the_log_ratio_is_that_of_a_multivariate_t_distribution(freedom: float) -> None:
    rho, random = torch.tensor([0.8, 0.3]), np.random.default_rng(0)
    u, v = random.standard_t(freedom, (5, 3)), random.standard_t(freedom, (5, 2))
    scatter = np.eye(5)
    for place, value in enumerate(rho.tolist()):
        scatter[place, 3 + place] = scatter[3 + place, place] = value
    expected = [
        [
            multivariate_t(np.zeros(5), scatter, freedom).logpdf(np.hstack([a, b]))
            - multivariate_t(np.zeros(3), np.eye(3), freedom).logpdf(a)
            - multivariate_t(np.zeros(2), np.eye(2), freedom).logpdf(b)
            for b in v
        ]
        for a in u
    ]
    ratios = log_ratios(
        torch.tensor(u), torch.tensor(v), rho.double(), freedom, constant(freedom, 3, 2)
    )
    torch.testing.assert_close(ratios, torch.tensor(expected), rtol=1e-6, atol=1e-6)


def test_a_t_copula_without_end_is_the_gaussian_copula() -> None:
    u, v = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    rho = torch.tensor([0.9, 0.5, 0.0]).double()
    exact = log_ratios(u, v, rho, 1e12, 0.0)
    torch.testing.assert_close(log_ratios(u, v, rho), exact, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("student-identity-2-2-1", 0.38),
        ("spiral-multinormal-sparse-3-3-2-2.0", 0.92),
        ("multinormal-sparse-3-3-2-2.0", 0.95),
    ],
)
def test_the_start_alone_reads_heavy_tails_and_turned_sides(name: str, least: float) -> None:
    """The standard error of the bound is 0.03 nats."""
    joint = tasks()[name]
    critic, bound = started(joint, 4000)
    assert least < bound < (joint.mutual_information or 0) + 0.08
    assert (float(critic.freedom) < NORMAL) == name.startswith("student")


BENT = Transformed(CorrelatedGaussians(dim=10, mutual_information=6.0), Bend(0.5), HalfCube())


@pytest.mark.parametrize(
    ("joint", "count", "least"),
    [
        (Interaction(dim_x=8), 4000, 0.6),
        (Interaction(dim_x=12), 700, 0.5),
        (BENT, 6000, 5.7),
        (NoisyFunction("sine", 3, 0.1), 4000, 4.1),
        (NoisyFunction("sine", 10, 0.1), 700, 12.0),
    ],
    ids=["products", "few rows", "bent sides", "edges", "many edges"],
)
def test_the_start_alone_reads_products_and_bent_columns(
    joint: Joint, count: int, least: float
) -> None:
    """With all features of a side, but no choice of them, the first three read 0.59, 0.46 and 5.2,
    and the last reads 11.7 nats.
    """
    assert least < started(joint, count)[1] < (joint.mutual_information or 0) + 0.2


def test_a_column_whose_effect_depends_on_the_level_of_the_row_is_read() -> None:
    """All products of 30 columns would be 465 features in 1,500 rows."""
    x, y = torch.randn(2, 1500, 30, generator=torch.Generator().manual_seed(0)).double()
    y[:, 4] = 0.5 * y[:, 4] + x[:, 0] * x.sum(1) / math.sqrt(30)
    start = chosen(x, y, 0.1, 6.0)
    assert start.x.features.levels
    assert start.mixed
    assert start.rho[0] > 0.4
    assert not chosen(x, y.flip(0), 0.1, 6.0).rho.any()


def test_a_start_that_is_invertible_has_neither_products_nor_bent_columns() -> None:
    x, y = (side.double() for side in rows(Interaction(dim_x=3), 1000, seed=0))
    free, bound = (chosen(x, y, 0.3, 6.0, invertible=each) for each in (False, True))
    assert free.x.features.products
    assert not bound.x.features.products
    assert not bound.x.features.levels
    assert not bound.x.features.bends


def test_one_informative_column_among_more_columns_than_rows_is_found() -> None:
    joint = MultivariateGaussians.sparse(1, 300, pairs=1, rho=0.8)
    assert started(joint, 250)[1] > 0.8 * joint.mutual_information


@pytest.mark.parametrize("dim", [1, 3, 20])
def test_the_start_of_independent_rows_reads_nearly_nothing(dim: int) -> None:
    joint = Independent(CorrelatedGaussians(dim=dim, mutual_information=1.0))
    assert abs(started(joint, 1000)[1]) < 0.02


@pytest.mark.parametrize("count", [2, 3, 5, 30])
def test_a_start_of_very_few_rows_is_finite(count: int) -> None:
    assert math.isfinite(started(CorrelatedGaussians(dim=2, mutual_information=1.0), count)[1])
