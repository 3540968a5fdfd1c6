"""A difference of entropies against its definition and against normal pairs."""

import math

import numpy as np
import pytest
import torch
from scipy.special import digamma
from torch import Tensor

from infobound.estimators.knn_entropy import KNNEntropy


def normal(rows: int, dim: int, rho: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, rows, dim, generator=generator, dtype=torch.float64)
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def entropy(points: np.ndarray, k: int) -> float:
    apart = np.sort(np.abs(points[:, None] - points).max(-1), axis=1)
    size, dim = points.shape
    return digamma(size) - digamma(k) + dim * float(np.log(2 * apart[:, k]).mean())


@pytest.mark.parametrize(("dim", "k"), [(1, 1), (2, 3), (8, 4)])
def test_it_is_its_definition(dim: int, k: int) -> None:
    x, y = normal(80, dim, 0.7)
    of_x, of_y, of_pair = (entropy(each.numpy(), k) for each in (x, y, torch.cat([x, y], 1)))
    assert KNNEntropy(k=k)(x, y).value == pytest.approx(of_x + of_y - of_pair, abs=1e-6)


@pytest.mark.parametrize(("rho", "dim"), [(0.0, 1), (0.9, 1), (0.6, 2)])
def test_normal_pairs_are_read_within_four_standard_errors(rho: float, dim: int) -> None:
    value, stderr = KNNEntropy()(*normal(3000, dim, rho))
    assert stderr < 0.04
    assert abs(value + dim * math.log(1 - rho**2) / 2) < 4 * stderr


def test_ties_are_warned_of_and_constants_refused() -> None:
    x, y = normal(200, 1, 0.5)
    assert KNNEntropy().doubts(x, y) == []
    assert "estimator=mixture_knn" in KNNEntropy().doubts(x.round(), y)[0]
    with pytest.raises(ValueError, match="must differ between rows to have an entropy"):
        KNNEntropy()(torch.ones_like(x), y)
