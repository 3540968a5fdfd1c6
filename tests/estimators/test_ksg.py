"""KSG against its definition, point by point, and on Gaussians whose mutual information is
known.
"""

import math
import time
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy.special import digamma
from torch import Tensor

from infobound.estimators import neighbours
from infobound.estimators.ksg import KSG

PLAIN = {"k": 3, "version": 1, "lnc": None}


def ksg(**changed: Any) -> KSG:
    return KSG(**(PLAIN | changed))


def gaussian(rows: int, dim_x: int, dim_y: int, rho: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The first columns of x and y are correlated pairs, the rest are independent."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (
        torch.randn(rows, dim_x, generator=generator),
        torch.randn(rows, dim_y, generator=generator),
    )
    shared = min(dim_x, dim_y)
    y[:, :shared] = rho * x[:, :shared] + math.sqrt(1 - rho**2) * y[:, :shared]
    return x, y


def by_definition(x: np.ndarray, y: np.ndarray, k: int, version: int) -> float:
    size, total = len(x), 0.0
    for i in range(size):
        apart_x = [np.abs(x[i] - x[j]).max() for j in range(size) if j != i]
        apart_y = [np.abs(y[i] - y[j]).max() for j in range(size) if j != i]
        near = sorted(range(size - 1), key=lambda j: max(apart_x[j], apart_y[j]))[:k]
        reach_x, reach_y = max(apart_x[j] for j in near), max(apart_y[j] for j in near)
        if version == 1:
            reach = max(reach_x, reach_y)
            n_x, n_y = sum(a < reach for a in apart_x), sum(a < reach for a in apart_y)
            total -= digamma(n_x + 1) + digamma(n_y + 1)
        else:
            n_x, n_y = sum(a <= reach_x for a in apart_x), sum(a <= reach_y for a in apart_y)
            total -= digamma(n_x) + digamma(n_y) + 1 / k
    return float(digamma(k) + digamma(size) + total / size)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("dim_x", "dim_y"), [(1, 1), (2, 3), (1, 5), (9, 8)])
def test_both_versions_are_their_definition_by_tree_and_by_brute_force(
    version: int, dim_x: int, dim_y: int
) -> None:
    x, y = gaussian(70, dim_x, dim_y, 0.7)
    expected = by_definition(x.double().numpy(), y.double().numpy(), 3, version)
    assert ksg(version=version)(x, y).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dim", [1, 4])
def test_tree_and_brute_force_find_the_same(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    points = gaussian(300, dim, 1, 0.5)[0].double().numpy()
    radius = np.linspace(0.01, 2, 300)
    found = []
    for most in (0, 99):
        monkeypatch.setattr(neighbours, "TREE_SEARCH", most)
        monkeypatch.setattr(neighbours, "TREE_COUNT", most)
        monkeypatch.setattr(neighbours, "CHUNK", 1000)
        found.append(
            (
                np.sort(neighbours.nearest(points, 5), axis=1),
                neighbours.count_within(points, radius),
            )
        )
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("rho", "dim"), [(0.0, 1), (0.6, 1), (0.9, 1), (0.6, 2)])
def test_the_truth_of_gaussians_is_within_four_standard_errors(
    version: int, rho: float, dim: int
) -> None:
    truth = -dim * math.log(1 - rho**2) / 2
    value, stderr = ksg(version=version)(*gaussian(3000, dim, dim, rho))
    assert stderr < 0.03
    assert abs(value - truth) < 4 * stderr + 0.01


def test_the_standard_error_is_the_spread_over_samples() -> None:
    results = [ksg()(*gaussian(400, 1, 1, 0.6, seed)) for seed in range(60)]
    spread = float(np.std([each.value for each in results]))
    assert float(np.mean([each.stderr for each in results])) == pytest.approx(spread, rel=0.35)


def test_ties_are_broken_alike_every_time() -> None:
    x, y = (
        torch.randint(4, (500, 1), generator=torch.Generator().manual_seed(seed)).float()
        for seed in range(2)
    )
    first, again = ksg()(x, y), ksg()(x, y)
    assert first == again
    assert abs(first.value) < 0.2


def test_rows_that_numpy_drew_first_are_read_like_any_others() -> None:
    """Rounded values tie, and the noise that breaks ties must not be the stream of a seed that
    users choose: that noise would be x itself.
    """
    x, noise = np.random.default_rng(0).standard_normal((2, 2000))
    y = 1.1 * x + noise
    rows = [torch.tensor(np.round(each, 1))[:, None] for each in (x, y)]
    one, other = KSG()(*rows), KSG()(*reversed(rows))
    assert one.value == pytest.approx(other.value, abs=1e-6)
    assert one.value == pytest.approx(math.log(1 + 1.21) / 2, abs=0.08)


@pytest.mark.parametrize("version", [1, 2])
def test_swapping_x_and_y_changes_nothing_where_they_tie(version: Literal[1, 2]) -> None:
    source = np.random.default_rng(1)
    x = source.integers(5, size=(300, 2))
    y = np.hstack([x[:, :1] + source.integers(2, size=(300, 1)), source.normal(size=(300, 1))])
    rows, estimator = (torch.tensor(x).double(), torch.tensor(y)), KSG(version=version)
    assert estimator(*rows).value == pytest.approx(estimator(*reversed(rows)).value, abs=1e-6)


def test_a_point_pushed_out_by_ties_is_not_its_own_neighbour() -> None:
    found = neighbours.nearest(np.zeros((20, 2)), 3)
    assert found.shape == (20, 3)
    assert not (found == np.arange(20)[:, None]).any()


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-4])
def test_the_correction_comes_closer_where_the_dependence_is_strong(noise: float) -> None:
    x, error = gaussian(1500, 1, 1, 0.0)
    truth = math.log(1 + noise**-2) / 2
    plain, corrected = (
        ksg(k=5, version=2, lnc=lnc)(x, x + noise * error).value for lnc in (None, 0.25)
    )
    assert abs(corrected - truth) < abs(plain - truth)
    assert abs(corrected - truth) < 0.1 * truth


@pytest.mark.parametrize(("dim", "k"), [(1, 5), (2, 10)])
def test_the_correction_adds_nothing_where_x_and_y_are_independent(dim: int, k: int) -> None:
    x, y = gaussian(1500, dim, dim, 0.0)
    assert abs(ksg(k=k, lnc=0.25)(x, y).value) < 0.06


def test_the_correction_does_not_take_dependence_inside_x_for_information() -> None:
    x, y = gaussian(1500, 1, 1, 0.0)
    twice = torch.cat([x, x + 1e-3 * gaussian(1500, 1, 1, 0.0, seed=1)[0]], dim=1)
    assert abs(ksg(k=10, version=2, lnc=0.25)(twice, y).value) < 0.1


def test_distances_of_many_points_are_held_in_small_blocks() -> None:
    rows, block = next(neighbours.distances(np.zeros((100_000, 4))))
    assert block.numel() <= neighbours.CHUNK
    assert rows.stop == len(block)


@pytest.mark.slow
def test_ten_thousand_rows_in_twenty_dimensions_take_less_than_ten_cpu_seconds() -> None:
    torch.set_num_threads(1)
    started = time.process_time()
    ksg()(*gaussian(10_000, 10, 10, 0.6))
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("changed", "argument"),
    [({"k": 0}, "k"), ({"lnc": 0.0}, "lnc"), ({"lnc": 2.0}, "lnc"), ({"lnc": math.nan}, "lnc")],
)
def test_settings_out_of_range_are_refused_by_name(changed: dict[str, Any], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} must"):
        ksg(**changed)


def test_a_correction_by_too_few_neighbours_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^k must be above 8"):
        ksg(k=8, lnc=0.25)(*gaussian(100, 2, 2, 0.5))
