"""Intervals with the right coverage, and curves that have converged."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from infobound.runners.training.readings import Error, Reading, combined, spread
from infobound.runners.trust.confidence import interval
from infobound.runners.trust.convergence import LEAST, Trend, trend


def ended(values: Sequence[float]) -> Trend:
    """The trend of a curve that is long enough to have one."""
    found = trend(values)
    assert found is not None
    return found


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_an_interval_over_replicates_has_its_coverage(confidence: float) -> None:
    draws = np.random.default_rng(0).normal(1.0, 0.3, size=(2000, 4))
    held = []
    for values in draws.tolist():
        low, high = interval(Reading(values, spread(values), "neither"), confidence)
        held.append(low <= 1 <= high)
    assert statistics.fmean(held) == pytest.approx(
        confidence, abs=3 * (confidence * (1 - confidence) / 2000) ** 0.5
    )


def test_an_interval_of_folds_is_never_narrower_than_that_of_their_rows() -> None:
    error = Error(0.1, "folds", 27)
    low, high = interval(Reading([1.0, 1.0, 1.0], error, "neither"), 0.95)
    assert (low, high) == pytest.approx((1 - 0.196, 1 + 0.196), abs=1e-4)
    low, high = interval(Reading([0.0, 1.0, 2.0], error, "neither"), 0.95)
    assert (low, high) == pytest.approx((1 - 4.3027 / 3**0.5, 1 + 4.3027 / 3**0.5), abs=1e-4)


def test_errors_of_disjoint_rows_fall_with_their_number_and_those_of_the_same_rows_do_not() -> None:
    own = Error(0.2, "test rows by influence values", 9)
    assert combined([own] * 4, disjoint=True) == Error(0.1, "folds", 36)
    assert combined([own] * 4, disjoint=False) == own


@pytest.mark.parametrize(
    ("cap", "warned"),
    [(None, False), (2.0, False), (1.5, True), (1.49, True), (1.0, True)],
    ids=lambda value: str(value),
)
def test_an_estimate_within_half_a_nat_of_its_cap_is_warned_of(
    cap: float | None, warned: bool
) -> None:
    reading = Reading([1.0, 1.0], spread([1.0, 1.0]), "lower bound", cap)
    warnings: Any = reading.metrics(None)["warnings"]
    assert [each for each in warnings if "within 0.5 nat" in each] == warnings
    assert len(warnings) == warned


def test_a_curve_that_is_noise_has_converged_in_all_but_one_in_twenty() -> None:
    random = np.random.default_rng(0)
    rate = statistics.fmean(
        not ended(list(random.normal(2.0, 0.1, size=12))).converged for _ in range(1000)
    )
    assert rate == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 1000) ** 0.5)


def test_a_rising_curve_has_not_converged_and_a_flat_one_has() -> None:
    steps, noise = np.arange(20), np.random.default_rng(1).normal(0, 0.01, size=20)
    rising, risen, falling = 0.1 * steps + noise, 2 - np.exp(-steps) + noise, -0.1 * steps + noise
    assert [ended(list(curve)).converged for curve in (rising, risen, falling)] == [
        False,
        True,
        True,
    ]
    assert ended(list(0.1 * steps)).rise == pytest.approx(0.1 * 5)


def test_a_negligible_rise_counts_as_converged() -> None:
    assert ended([1e-4 * step for step in range(10)]).converged


def test_too_few_evaluations_have_no_trend() -> None:
    assert trend([1.0] * (LEAST - 1)) is None
    assert trend([1.0] * LEAST) is not None
