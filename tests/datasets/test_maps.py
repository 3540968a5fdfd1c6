"""Maps are invertible, change only their own side, and match their names."""

import math

import pytest
import torch
from scipy import stats

from infobound.datasets.pairs.beyond_normal import BIMODAL_X, BIMODAL_Y, WIGGLY_X, WIGGLY_Y
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.maps import (
    Asinh,
    Bend,
    Cubic,
    HalfCube,
    Identity,
    Increasing,
    Map,
    MixtureQuantile,
    NormalCDF,
    Spiral,
    SwissRoll,
    Wiggly,
)
from infobound.datasets.pairs.student_t import StudentT
from infobound.datasets.pairs.transformed import Transformed, up_to_ranks

INCREASING = [
    Identity(),
    Cubic(),
    HalfCube(),
    Asinh(),
    NormalCDF(),
    WIGGLY_X,
    WIGGLY_Y,
    BIMODAL_X,
    BIMODAL_Y,
]
MIXING = [
    (Spiral(0, None), Spiral(0, -1 / 5)),
    (Spiral(3, 0.7), Spiral(3, -0.7)),
    (Bend(0.5), Bend(-0.5)),
]
NORMAL = CorrelatedGaussians(dim=5, rho=0.6, mutual_information=None)


def rows(seed: int = 0) -> torch.Tensor:
    return torch.randn(200, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("increasing", INCREASING, ids=repr)
def test_an_increasing_map_increases_strictly_in_each_dimension_alone(
    increasing: Increasing,
) -> None:
    grid = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    values = torch.stack([grid, grid.flip(0)], dim=1)
    mapped = increasing(values)
    assert (mapped[:, 0].diff() > 0).all()
    assert torch.equal(mapped[:, 0], mapped[:, 1].flip(0))


@pytest.mark.parametrize(("there", "back"), MIXING)
def test_a_mixing_map_is_undone_by_its_opposite(there: Map, back: Map) -> None:
    values = rows()
    assert not torch.allclose(there(values), values, atol=0.1)
    torch.testing.assert_close(back(there(values)), values)


def test_a_swiss_roll_is_unrolled_by_its_radius() -> None:
    values = torch.rand(200, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius = 21 * SwissRoll()(values).norm(dim=1, keepdim=True)
    torch.testing.assert_close((radius / (1.5 * math.pi) - 1) / 2, values)


@pytest.mark.parametrize("each", [*INCREASING, *(there for there, _ in MIXING)], ids=repr)
def test_a_map_changes_neither_its_input_nor_the_other_side(each: Map) -> None:
    values = rows()
    each(values)
    assert torch.equal(values, rows())
    mapped = Transformed(NORMAL, each, Identity())
    x, y = mapped.sample(100, torch.Generator().manual_seed(1))
    plain_x, plain_y = NORMAL.sample(100, torch.Generator().manual_seed(1))
    assert torch.equal(y, plain_y)
    assert torch.equal(x, each(plain_x))
    assert mapped.mutual_information == NORMAL.mutual_information


def test_mixture_quantile_gives_the_mixture() -> None:
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    mapped = BIMODAL_X(x).numpy()
    result = stats.kstest(
        mapped, lambda values: 0.3 * stats.norm.cdf(values) + 0.7 * stats.norm.cdf(values, loc=5)
    )
    assert result.pvalue > 0.01


@pytest.mark.parametrize(
    ("each", "point", "image"),
    [
        (Spiral(0, None), [0.3, -1.2, 0.7], [0.9828386, -0.7510182, 0.7]),
        (Spiral(1, None), [0.3, -1.2, 0.7], [0.3, -1.3746134, -0.2010912]),
        (SwissRoll(), [0.3], [0.11094913, 0.34146658]),
        (WIGGLY_X, [0.7], [1.1148894]),
        (WIGGLY_Y, [0.7], [0.4369346]),
        (HalfCube(), [-1.7], [-2.216529]),
    ],
)
def test_maps_agree_with_values_of_the_benchmarks_own(
    each: Map, point: list[float], image: list[float]
) -> None:
    torch.testing.assert_close(
        each(torch.tensor([point])), torch.tensor([image]), rtol=1e-5, atol=1e-6
    )


def test_up_to_ranks_drops_only_the_outermost_increasing_maps() -> None:
    cubed = Transformed(NORMAL, Cubic(), Identity())
    assert up_to_ranks(Transformed(cubed, Asinh(), NormalCDF())) == NORMAL
    assert up_to_ranks(Transformed(cubed, Spiral(0, None), Asinh())) == Transformed(
        cubed, Spiral(0, None), Identity()
    )
    heavy = StudentT(NORMAL, 2)
    assert up_to_ranks(heavy) is heavy


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Wiggly([(0.5, 2.0, 0.0)]), "waves must have .* less than 1, got 1"),
        (lambda: MixtureQuantile([0.5, 0.6], [0, 1]), "weights must be positive and sum to 1"),
        (lambda: MixtureQuantile([1.0], [0, 1]), "weights must be as many as means, got 1 and 2"),
        (lambda: Spiral(-1, None), "axis must be 0 or more, got -1"),
        (
            lambda: Transformed(NORMAL, Spiral(4, None), Identity()),
            "x_map does not fit: axis must be 3 at most",
        ),
        (
            lambda: Transformed(NORMAL, Identity(), SwissRoll()),
            "y_map does not fit: SwissRoll takes one dimension, got 5",
        ),
        (
            lambda: Transformed(CorrelatedGaussians(1, 0.5, None), Bend(1.0), Identity()),
            "Bend needs at least two dimensions",
        ),
    ],
)
def test_a_map_that_cannot_be_undone_or_does_not_fit_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
