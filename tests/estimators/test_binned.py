"""Binned estimates against tables whose mutual information is a sum."""

import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from infobound.estimators.binned import Binned

COUNTS = np.array([[30, 5, 0], [2, 40, 8], [1, 6, 25], [10, 0, 3]])


def rows_of(counts: np.ndarray) -> tuple[Tensor, Tensor]:
    """Rows with the given counts of cells, which are named by values other than their indices."""
    a, b = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    return torch.tensor(a * 2.5 - 1)[:, None], torch.tensor(b**2 + 0.5)[:, None]


def information(counts: np.ndarray) -> float:
    p = counts / counts.sum()
    independent = p.sum(1, keepdims=True) * p.sum(0)
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / independent[p > 0])))


def plain(
    bins: int, edges: Literal["population", "width"] = "population", miller_madow: bool = False
) -> Binned:
    return Binned(bins=bins, edges=edges, miller_madow=miller_madow)


@pytest.mark.parametrize("edges", ["population", "width"])
def test_a_discrete_table_is_read_exactly(edges: Literal["population", "width"]) -> None:
    assert plain(4, edges)(*rows_of(COUNTS)).value == pytest.approx(information(COUNTS), rel=1e-12)


def test_several_discrete_columns_make_one_cell() -> None:
    x, y = rows_of(COUNTS)
    split = torch.cat([(x > 2).double(), x.remainder(5)], dim=1)
    assert plain(4)(split, torch.cat([y, -y], dim=1)).value == pytest.approx(
        information(COUNTS), rel=1e-12
    )


def test_a_one_hot_label_has_its_entropy_as_information() -> None:
    label = torch.arange(60) % 5
    assert (
        plain(2)(torch.nn.functional.one_hot(label).float(), label[:, None].float() % 2).value > 0
    )
    assert plain(5)(
        torch.nn.functional.one_hot(label).float(), label[:, None].float()
    ).value == pytest.approx(math.log(5))


def test_equal_population_is_unmoved_by_a_monotone_map() -> None:
    x, noise = torch.randn(2, 999, 1, generator=torch.Generator().manual_seed(0))
    y = x + noise
    assert plain(8)(x, y).value == plain(8)(x.exp(), y**3).value
    assert plain(8, "width")(x, y).value != plain(8, "width")(x.exp(), y**3).value


def test_bins_are_of_equal_population_or_of_equal_width() -> None:
    column = np.arange(100.0) ** 2
    assert np.bincount(plain(4).cells(column)).tolist() == [25, 25, 25, 25]
    first = [column[plain(4, "width").cells(column) == code].min() for code in range(4)]
    assert first == [0, 50**2, 71**2, 86**2], "the first squares from 0, 1/4, 1/2 and 3/4 of 99^2"


def test_the_correction_is_miller_and_madows() -> None:
    x, y = rows_of(COUNTS)
    cells_too_many = np.count_nonzero(COUNTS) - 4 - 3 + 1
    expected = information(COUNTS) - cells_too_many / (2 * COUNTS.sum())
    assert plain(4, miller_madow=True)(x, y).value == pytest.approx(expected, rel=1e-12)


def test_the_correction_takes_off_the_bias_of_independent_pairs() -> None:
    values = []
    for seed in range(50):
        x, y = torch.randn(2, 300, 1, generator=torch.Generator().manual_seed(seed))
        values.append([plain(5)(x, y).value, plain(5, miller_madow=True)(x, y).value])
    raw, corrected = np.mean(values, axis=0)
    assert raw > 0.02
    assert abs(corrected) < 0.004


def test_the_standard_error_is_the_spread_over_samples() -> None:
    random = np.random.default_rng(0)
    shares = (COUNTS / COUNTS.sum()).ravel()
    results = [
        plain(4)(*rows_of(random.multinomial(400, shares).reshape(COUNTS.shape)))
        for _ in range(200)
    ]
    spread = float(np.std([each.value for each in results]))
    assert float(np.mean([each.stderr for each in results])) == pytest.approx(spread, rel=0.2)


def test_one_bin_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^bins must be at least 2, got 1"):
        plain(1)
