"""The integral of flow matching for predictions that are known, and short trainings."""

import math

import pytest
import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.student_t import StudentT
from infobound.errors import SettingError
from infobound.estimators.flow import Flow, integral, noisy

ROWS = 20_000
PAIRS = CorrelatedGaussians(dim=2, rho=0.6)
FEW = Flow(steps=40, batch_size=128, width=32, draws=4)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def read(y: Tensor, mean: Tensor, variance: float) -> Tensor:
    """The log-ratios of N(mean, variance) and N(0, 1) by the best predictions for both."""
    z, t, e = noisy(y, 8, torch.Generator().manual_seed(2))
    keep = 1 - t
    known = t * (z - keep * mean) / (keep.square() * variance + t.square())
    alone = t * z / (keep.square() + t.square())
    return integral(known - e, alone - e, t)


@pytest.mark.parametrize("rho", [0.3, 0.75, 0.99])
def test_the_best_predictions_give_the_information_of_normal_pairs(rho: float) -> None:
    x, left = normal(0, ROWS, 1), 1 - rho**2
    terms = read(rho * x + math.sqrt(left) * normal(1, ROWS, 1), rho * x, left)
    truth = -math.log(left) / 2
    assert abs(float(terms.mean()) - truth) < 4 * float(terms.std()) / math.sqrt(ROWS) + 0.002


def test_the_best_predictions_give_the_log_ratio_of_each_row() -> None:
    y, mean, left = -0.5, 0.6, 0.64
    terms = read(torch.full((ROWS, 1), y), torch.tensor(mean), left)
    ratio = -math.log(left) / 2 - ((y - mean) ** 2 / left - y**2) / 2
    assert abs(float(terms.mean()) - ratio) < 4 * float(terms.std()) / math.sqrt(ROWS) + 0.005


def test_equal_predictions_give_no_information() -> None:
    z, t, e = noisy(normal(0, 100, 3), 4, torch.Generator().manual_seed(0))
    assert not integral(z - e, z - e, t).any()


@pytest.mark.parametrize("joint", [PAIRS, StudentT(gaussians=PAIRS, dof=1)])
def test_copulas_are_read_within_four_standard_errors(joint: Joint) -> None:
    truth = joint.mutual_information
    assert truth is not None
    value, stderr = FEW(*joint.sample(1000, torch.Generator().manual_seed(0)))
    assert abs(value - truth) < 4 * stderr


def test_nothing_is_found_in_independent_pairs() -> None:
    assert abs(FEW(normal(0, 500, 2), normal(1, 500, 1)).value) < 0.05


def test_training_finds_what_no_copula_has() -> None:
    x = normal(0, 600, 1)
    assert FEW(x, x.square() + 0.5 * normal(1, 600, 1)).value > 0.2


def test_a_constant_column_has_no_information() -> None:
    assert abs(FEW(normal(0, 100, 2), torch.ones(100, 1)).value) < 0.02


def test_the_same_seed_gives_the_same_value_and_leaves_the_global_generator_alone() -> None:
    x, y = normal(0, 100, 1), normal(1, 100, 1)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first = FEW(x, y)
    assert torch.equal(torch.rand(1), expected)
    assert FEW(x, y) == first


@pytest.mark.parametrize("key", ["steps", "batch_size", "width", "folds", "draws"])
def test_settings_that_are_not_positive_are_refused(key: str) -> None:
    with pytest.raises(SettingError, match=key):
        Flow(**{key: 0})


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 rows"):
        Flow()(normal(0, 10, 1), normal(1, 10, 1))
