"""Coverage: closed forms for perfect, collapsed and partial samplers."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.datasets.modes.interface import Recognised
from infobound.runners.gan.coverage import (
    Coverage,
    bins,
    histogram,
    jensen_shannon,
    modes_covered,
    reverse_kl,
)

GRID = GaussianModes.grid(5, 2.0, 0.05, standardised=False)
SIZE = 2500


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


COVERAGE = Coverage.of(GRID, GRID.recognise, source(1))


def shares(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def around(centres: Tensor) -> Tensor:
    """The given number of samples of each of these modes."""
    x = centres.float().repeat(SIZE // len(centres), 1)
    return x + 0.05 * torch.randn(x.shape, generator=source())


def test_a_perfect_sampler_covers_everything() -> None:
    """KL has the mean 24 / 2N = .0048 and the standard deviation sqrt(48) / 2N = .0014; high
    quality has the standard deviation .0021.
    """
    found = COVERAGE(GRID.sample(SIZE, source())[0])
    assert found["modes"] == 25
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.009)
    assert found["kl"] == pytest.approx(24 / (2 * SIZE), abs=5 * 0.0014)


def test_divergences_of_perfect_samples_have_the_mean_that_is_said() -> None:
    """Over 200 draws, the standard error of KL is .0001, and that of JS with 30 equal bins is
    .00005.
    """
    kl, js = [], []
    for seed in range(200):
        kl.append(reverse_kl(histogram(GRID.sample(SIZE, source(seed))[1], 25), GRID.shares))
        draws = torch.randint(30, (2, 2000), generator=source(seed))
        js.append(jensen_shannon(histogram(draws[0], 30), histogram(draws[1], 30)))
    assert sum(kl) / 200 == pytest.approx(24 / (2 * SIZE), abs=0.0005)
    assert sum(js) / 200 == pytest.approx(29 * (2 / 2000) / 8, abs=0.00025)


@pytest.mark.parametrize("modes", [1, 5, 25])
def test_a_sampler_of_some_modes_has_the_closed_form(modes: int) -> None:
    found = COVERAGE(around(GRID.centres[:modes]))
    assert found["modes"] == modes
    assert found["kl"] == pytest.approx(math.log(25 / modes), abs=0.001)
    lost = modes / 25
    form = (
        math.log(2 / (1 + lost)) + lost * math.log(2 * lost / (1 + lost)) + (1 - lost) * math.log(2)
    ) / 2
    assert found["js"] == pytest.approx(form, abs=0.02)


def test_samples_between_the_modes_cover_none() -> None:
    found = COVERAGE(around(GRID.centres + 1))
    assert found["modes"] == found["high_quality"] == 0
    assert found["kl"] == pytest.approx(math.log(25))
    assert found["js"] == pytest.approx(math.log(2), abs=0.001)


def test_reverse_kl_is_of_samples_of_high_quality_alone() -> None:
    good = around(GRID.centres[:5])
    assert COVERAGE(torch.cat([good, GRID.centres.float() + 1]))["kl"] == COVERAGE(good)["kl"]


@pytest.mark.parametrize(
    ("good", "modes"), [((1, 1, 1, 1), 3), ((1, 0, 1, 0), 1), ((0, 0, 0, 0), 0)]
)
def test_a_mode_is_covered_by_one_good_sample(good: tuple[int, ...], modes: int) -> None:
    assert (
        modes_covered(Recognised(torch.tensor([4, 7, 4, 0]), torch.tensor(good, dtype=torch.bool)))
        == modes
    )


def test_reverse_kl_is_exact_and_finite_where_modes_are_lost() -> None:
    truth = shares(0.5, 0.25, 0.25)
    assert reverse_kl(truth, truth) == 0
    assert reverse_kl(shares(0, 0.5, 0.5), truth) == pytest.approx(math.log(2))
    assert reverse_kl(shares(0.5, 0.5), shares(1, 0)) == math.inf


def test_jensen_shannon_is_symmetric_and_at_most_log_2() -> None:
    p, q = shares(0.1, 0.2, 0.7), shares(0.6, 0.4, 0)
    assert jensen_shannon(p, q) == jensen_shannon(q, p) > 0
    assert jensen_shannon(p, p) == 0
    assert jensen_shannon(shares(1, 0), shares(0, 1)) == pytest.approx(math.log(2))


def test_every_point_is_in_one_bin_and_what_lies_outside_in_the_last() -> None:
    low, high = torch.tensor([0.0, 10.0]), torch.tensor([1.0, 20.0])
    points = [
        [0.0, 10.0],
        [0.99, 10.0],
        [1.0, 20.0],
        [0.5, 15.0],
        [-0.01, 15.0],
        [0.5, 20.1],
        [math.nan, 15.0],
        [math.inf, 15.0],
    ]
    assert bins(torch.tensor(points), low, high, 2).tolist() == [0, 2, 3, 3, 4, 4, 4, 4]


class Letters:
    """Images whose first pixel determines one of two modes."""

    shape, classes, shares = (1, 2, 2), 2, shares(0.75, 0.25)

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    held_out = sample

    def recognise(self, x: Tensor) -> Recognised:
        return Recognised((x[:, 0, 0, 0] > 0).long(), torch.ones(len(x), dtype=torch.bool))


def test_images_are_compared_by_their_modes() -> None:
    dataset: Any = Letters()
    found = Coverage.of(dataset, dataset.recognise, source())(torch.ones(8, 1, 2, 2))
    assert found["js"] == pytest.approx(jensen_shannon(shares(0, 1), shares(0.75, 0.25)))
    assert found["kl"] == pytest.approx(math.log(4))
