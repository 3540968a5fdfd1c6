"""Pairs of columns are turned if they are mixtures of two independent columns, and only then."""

import math
import time

import pytest
import torch
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.transforms import GaussianRanks, UnmixedRanks, gaussian_ranks, unmixed_ranks
from infobound.datasets.unmixing import unmixing

ROWS = 3000
COSINE, SINE = math.cos(0.3), math.sin(0.3)
ROTATION = torch.tensor([[COSINE, -SINE], [SINE, COSINE]])
SHEAR = torch.tensor([[1.0, 0.6], [0.0, 1.0]])


def uniform(columns: int, rows: int = ROWS, seed: int = 0) -> Tensor:
    return torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)).double()


def normal(columns: int, rows: int = ROWS, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).double()


def clusters(columns: int) -> Tensor:
    return (uniform(columns, seed=1) * 3).floor() * 2 + 0.3 * normal(columns)


PARTS = {
    "uniform": uniform(2),
    "exponential": -uniform(2).log(),
    "clusters": clusters(2),
    "cauchy": torch.tan(math.pi * (uniform(2) - 0.5)),
    "unlike": torch.cat([3 * uniform(1), -uniform(1, seed=1).log()], 1),
}


def agreement(found: Tensor, parts: Tensor) -> Tensor:
    """The largest absolute rank correlation of each part with a column."""
    scores = torch.cat([found.double(), gaussian_ranks(parts)(parts).double()], 1)
    return torch.corrcoef(scores.T)[: found.shape[1], found.shape[1] :].abs().amax(0)


@pytest.mark.parametrize("mixing", [ROTATION, SHEAR], ids=["rotation", "shear"])
@pytest.mark.parametrize("scale", [1.0, 1e-7])
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_mixtures_become_their_parts(parts: Tensor, scale: float, mixing: Tensor) -> None:
    mixed = parts @ mixing.double() * torch.tensor([1.0, scale]) + 1.7e9 * scale
    ranks = unmixed_ranks(mixed)
    assert isinstance(ranks, UnmixedRanks)
    assert (agreement(ranks(mixed), parts) > 0.985).all()
    assert (agreement(gaussian_ranks(mixed)(mixed), parts) < 0.97).any()


def test_other_columns_stay_as_they_are() -> None:
    rows = torch.cat([normal(3).exp(), uniform(2, seed=2) @ ROTATION.double()], 1)
    ranks = unmixed_ranks(rows)
    assert isinstance(ranks, UnmixedRanks)
    assert torch.equal(ranks(rows)[:, :3], gaussian_ranks(rows)(rows)[:, :3])
    assert (agreement(ranks(rows)[:, 3:], uniform(2, seed=2)) > 0.99).all()


def test_three_mixed_columns_become_independent() -> None:
    parts = uniform(3)
    mixed = parts @ torch.linalg.qr(normal(3)[:3])[0]
    assert (agreement(unmixed_ranks(mixed)(mixed), parts) > 0.99).all()


def test_a_map_is_invertible_and_works_by_row() -> None:
    mixed = uniform(4) @ torch.block_diag(ROTATION, SHEAR).double()
    ranks = unmixed_ranks(mixed)
    assert isinstance(ranks, UnmixedRanks)
    assert torch.linalg.cond(ranks.matrix) < 100
    other = mixed.flip(0) + 0.1
    torch.testing.assert_close(ranks(other)[5:9], ranks(other[5:9]))
    again = transforms.restored({name: getattr(ranks, name) for name in ranks._fields})
    assert torch.equal(again(other), ranks(other))


ANGLE = 2 * math.pi * uniform(1)
NOT_MIXED = {
    "one column": uniform(1),
    "independent": torch.cat([uniform(3), -uniform(3, seed=1).log(), normal(3) ** 3], 1),
    "correlated": normal(8) + normal(1, seed=1),
    "nearly equal": normal(4) * 0.01 + normal(1, seed=1),
    "correlated, skewed": (normal(8) + normal(1, seed=1)).exp(),
    "student": normal(5) / normal(2, seed=1).norm(dim=1, keepdim=True),
    "ring": torch.cat([ANGLE.cos(), ANGLE.sin()], 1) + 0.1 * normal(2),
    "square": torch.cat([normal(1), normal(1).square() + normal(1, seed=1)], 1),
    "scale": normal(2) * normal(1, seed=1).exp(),
    "network": (normal(40) @ normal(40, rows=40, seed=1)).relu() + 1e-3 * uniform(40),
    "rounded": (uniform(2) @ ROTATION.double() * 20).round(),
    "constant": torch.cat([uniform(1), torch.ones(ROWS, 1)], 1),
    "beyond the square of float64": 1e200 * uniform(2) @ ROTATION.double(),
    "few rows": uniform(2, rows=60) @ ROTATION.double(),
}


@pytest.mark.parametrize("rows", NOT_MIXED.values(), ids=NOT_MIXED.keys())
def test_columns_that_are_no_mixtures_are_ranked_as_they_are(rows: Tensor) -> None:
    ranks = unmixed_ranks(rows)
    assert isinstance(ranks, GaussianRanks)
    assert torch.equal(ranks.ordered, gaussian_ranks(rows).ordered)


@pytest.mark.parametrize("count", [100, 700])
def test_chance_turns_no_columns(count: int) -> None:
    """Ten tables each of independent, of correlated and of heavy-tailed columns."""
    for seed in range(10):
        parts, level = normal(12, count, seed), normal(1, count, seed + 100)
        for rows in (parts, uniform(12, count, seed), (parts + level).exp(), parts + 3 * level):
            assert unmixing(rows) is None
        assert unmixing(parts[:, :5] / level.abs()) is None


def test_many_dependent_columns_do_not_take_long() -> None:
    """A hundred columns take less time than 20,000 sorts of one."""
    rows = (normal(100) @ normal(100, rows=100, seed=1)).relu() + 1e-3 * uniform(100)
    begun = time.process_time()
    rows[:, 0].sort()
    for _ in range(1000):
        rows[:, 0].sort()
    sorting = time.process_time() - begun
    begun = time.process_time()
    unmixing(rows)
    assert time.process_time() - begun < 20 * sorting
