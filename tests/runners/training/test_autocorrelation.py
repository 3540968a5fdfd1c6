"""Rows that follow one another are worth fewer independent rows; independent rows are worth all."""

import math
import statistics
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from infobound.runners.training.autocorrelation import Memory, memory
from infobound.runners.training.readings import Error
from tests.runners.series import autoregressive


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


INDEPENDENT: dict[str, Callable[[torch.Generator], Tensor]] = {
    "normal": lambda random: torch.randn(200, 3, generator=random),
    "heavy tails": lambda random: 1 / torch.randn(200, 1, generator=random),
    "rare category": lambda random: (torch.rand(200, 2, generator=random) < 0.02).double(),
    "many columns": lambda random: torch.randn(100, 60, generator=random),
}


@pytest.mark.parametrize("kind", INDEPENDENT)
def test_independent_rows_are_worth_all_however_much_x_says_about_y(kind: str) -> None:
    for seed in range(100):
        x = INDEPENDENT[kind](source(seed))
        assert memory(x, x, false_alarm=1e-3).effective == len(x)
        assert memory(x, x).effective > 0.6 * len(x)


def test_shuffled_series_are_worth_all_rows() -> None:
    for seed in range(100):
        x, y = autoregressive(300, 0.95, seed)
        order = torch.randperm(300, generator=source(seed))
        assert memory(x[order], y[order], false_alarm=1e-3).effective == 300


@pytest.mark.parametrize("phi", [0.5, 0.9, 0.95, -0.9])
def test_an_autoregressive_series_is_worth_what_its_coefficient_says(phi: float) -> None:
    found = [memory(*autoregressive(2000, phi, seed)).effective for seed in range(20)]
    exact = 2000 * (1 - phi**2) / (1 + phi**2)
    assert statistics.median(found) == pytest.approx(exact, rel=0.25)


def test_one_series_beside_independent_rows_is_worth_all() -> None:
    x, _ = autoregressive(1000, 0.99, seed=0)
    y = torch.randn(1000, 2, generator=source(1))
    assert memory(x, y, false_alarm=1e-3).effective == 1000


def test_seasons_a_changing_spread_and_a_slow_column_among_many_are_noticed() -> None:
    time = torch.arange(1000)[:, None]
    noise = torch.randn(2, 1000, 1, generator=source(0))
    season = torch.sin(2 * math.pi * time / 24)
    x, y = autoregressive(1000, 0.95, seed=0)
    pairs = {
        "seasons": (season + noise[0], season.roll(7, 0) + noise[1]),
        "spread": (noise[0] * (x / 3).exp(), noise[1] * (y / 3).exp()),
        "a column": (
            torch.cat([torch.randn(1000, 9, generator=source(1)), x], 1),
            torch.cat([y, torch.randn(1000, 9, generator=source(2))], 1),
        ),
    }
    for name, pair in pairs.items():
        assert memory(*pair, false_alarm=1e-3).effective < 500, name


def test_little_is_left_after_a_gap() -> None:
    phi = 0.98
    assert phi ** (2 * Memory(1000, 1000 * (1 - phi**2) / (1 + phi**2)).gap) <= 0.06
    assert Memory(1000, 1000).gap == 0


def test_an_error_is_that_of_as_many_independent_rows() -> None:
    error = Error(0.1, "folds", 27)
    widened = Memory(900, 100).widened(error)
    assert widened.value == pytest.approx(0.3)
    assert (widened.of, widened.freedom) == ("folds", 27)
    assert Memory(900, 9).widened(error).freedom == 8
