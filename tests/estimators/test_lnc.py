"""The correction for densities that are not uniform among neighbours."""

import math
from typing import Any

import pytest
import torch

from infobound.estimators.ksg import KSG
from infobound.estimators.lnc import LNC

X, NOISE = torch.randn(2, 1000, 1, generator=torch.Generator().manual_seed(0))


def test_it_is_ksg_with_its_correction() -> None:
    y = X + 0.1 * NOISE
    assert LNC()(X, y) == KSG(k=5, version=2, lnc=0.25)(X, y)
    two = torch.cat([X, NOISE], 1)
    assert LNC()(two, y) == KSG(k=7, version=2, lnc=0.25)(two, y)


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-6])
def test_strong_dependence_is_read_within_a_tenth_from_a_thousand_rows(noise: float) -> None:
    truth = math.log(1 + noise**-2) / 2
    assert LNC()(X, X + noise * NOISE).value == pytest.approx(truth, rel=0.1)


def test_independent_columns_are_read_as_nothing() -> None:
    assert abs(LNC()(X, NOISE).value) < 0.08


@pytest.mark.parametrize(
    ("changed", "argument"), [({"k": 0}, "k"), ({"alpha": 0.0}, "alpha"), ({"alpha": 2.0}, "alpha")]
)
def test_settings_out_of_range_are_refused_by_name(changed: dict[str, Any], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} must"):
        LNC(**changed)


def test_too_few_neighbours_for_the_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^k must be above 4"):
        LNC(k=4)(X, NOISE)
