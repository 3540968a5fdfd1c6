"""What is measured of classifiers on held-out rows: ranking, parity, sculpting, significance,
information, at known truths.
"""

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from infobound.runners.invariant import dependence, parity, ranking, sculpting
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.significance import Significance, ams, thresholds

RANDOM = np.random.default_rng(0)
ONES = np.ones(2000)


def predictions(logits: Any, labels: Any, pivots: Any) -> Predictions:
    table = np.asarray(logits, float)
    return Predictions(
        table, np.asarray(labels), np.asarray(pivots, float)[:, None], np.ones(len(table))
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_the_area_is_scikit_learns_with_ties_and_weights(weighted: bool) -> None:
    score, positive = RANDOM.integers(8, size=300).astype(float), RANDOM.random(300) < 0.4
    weights = RANDOM.random(300) if weighted else np.ones(300)
    area = ranking.area(score, positive, weights)
    assert area.value == pytest.approx(roc_auc_score(positive, score, sample_weight=weights))
    false, true = ranking.roc(score, positive, weights)
    wanted = roc_curve(positive, score, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose([false, true], wanted[:2])


def test_the_standard_error_of_an_area_is_its_spread_over_samples() -> None:
    def drawn() -> ranking.Area:
        positive = RANDOM.random(400) < 0.5
        return ranking.area(RANDOM.normal(size=400) + positive, positive, np.ones(400))

    areas = [drawn() for _ in range(400)]
    assert np.mean([each.stderr for each in areas]) == pytest.approx(
        np.std([each.value for each in areas]), rel=0.15
    )


def test_log_odds_are_of_one_class_against_all_others() -> None:
    found = predictions([[1.0, -2.0], [0.0, 3.0]], [0, 1], [0, 1])
    np.testing.assert_allclose(np.exp(found.predicted).sum(1), 1)
    for label in range(3):
        p = np.exp(found.predicted[:, label])
        np.testing.assert_allclose(found.log_odds(label), np.log(p / (1 - p)))
    np.testing.assert_allclose(-predictions([[1.5]], [0], [0]).log_odds(0), [1.5])


def test_groups_that_are_treated_alike_have_no_difference_and_others_have_theirs() -> None:
    groups, labels = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    weights = np.ones(8)
    assert parity.demographic_parity(labels, groups, weights) == 0
    assert parity.equalised_odds(labels, labels, groups, weights) == 0
    answers = np.array([0, 1, 1, 1, 0, 0, 0, 1])
    assert parity.demographic_parity(answers, groups, weights) == pytest.approx(3 / 4 - 1 / 4)
    assert parity.equalised_odds(answers, labels, groups, weights) == pytest.approx(1 / 2)
    assert parity.demographic_parity(
        answers, groups, np.array([1, 0, 1, 1, 0, 0, 0, 1.0])
    ) == pytest.approx(1 - 2 / 3)


def test_only_a_cut_that_depends_on_the_pivot_sculpts_more_than_chance() -> None:
    pivot, passes = RANDOM.normal(size=2000), RANDOM.random(2000) < 0.2
    blind = sculpting.sculpted(pivot, passes, ONES, 0, seed=0)
    assert blind.divergence == pytest.approx(blind.by_chance, abs=0.01)
    seeing = sculpting.sculpted(pivot, pivot > 1, ONES, 0, seed=0)
    assert seeing.divergence == pytest.approx(
        math.log(2), abs=0.04
    )  # apart but for the bin that holds the cut
    assert seeing.distance > 5 * blind.distance


def test_the_divergence_of_two_histograms_is_jensen_and_shannons() -> None:
    """Shares (3/4, 1/4) against (1/4, 3/4)."""
    cells, passes = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.array([True] * 4 + [False] * 4)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert sculpting.divergence(cells, passes, np.ones(8)) == pytest.approx(expected)
    assert sculpting.divergence(cells, passes, np.where(passes, 7.0, 2.0)) == pytest.approx(
        expected
    )
    assert sculpting.divergence(cells, np.full(8, True), np.ones(8)) == 0


def test_a_threshold_lets_its_share_pass() -> None:
    score = RANDOM.permutation(1000).astype(float)
    for share in (0.001, 0.05, 0.5, 1.0):
        assert np.mean(score >= sculpting.threshold(score, share, np.ones(1000))) == pytest.approx(
            share
        )
    weights = np.where(score >= 500, 3.0, 1.0)
    passing = score >= sculpting.threshold(score, 0.5, weights)
    assert weights[passing].sum() / weights.sum() == pytest.approx(0.5, abs=0.002)


def test_significance_is_that_of_counting_and_falls_with_what_is_not_known() -> None:
    """s / sqrt(b) where s is small; Cowan's closed form where b is known to u."""
    s, b = np.array([1.0, 10.0]), np.array([1e4, 100.0])
    certain = ams(s, b, np.zeros(2))
    np.testing.assert_allclose(certain, np.sqrt(2 * ((s + b) * np.log1p(s / b) - s)))
    assert certain[0] == pytest.approx(s[0] / math.sqrt(b[0]), rel=1e-3)
    nearly = ams(s, b, np.full(2, 1e-4))
    np.testing.assert_allclose(nearly, certain, rtol=1e-3)
    assert ams(s, b, np.array([100.0, 10.0]))[0] == pytest.approx(
        s[0] / math.sqrt(b[0] + 100**2), rel=1e-2
    )
    assert ams(s, np.zeros(2), np.zeros(2)).tolist() == [0, 0]


def test_a_background_that_passes_alike_at_every_pivot_is_known_and_another_is_not() -> None:
    size = 20_000
    labels, pivot = np.arange(size) % 2, RANDOM.normal(size=size)
    counted = Significance(100.0, 1000.0)
    curves = []
    for dependence_on_pivot in (0.0, 1.0):
        logits = RANDOM.normal(size=size) + 2 * labels + dependence_on_pivot * pivot
        found = predictions(logits[:, None], labels, pivot)
        curves.append(counted.curve(found, 0, [0], thresholds(found, 0)))
    alike, other = ((curve.ams / curve.certain)[:-1] for curve in curves)
    assert alike.mean() > 0.85
    assert other.mean() < 0.6
    assert curves[0].certain.max() == pytest.approx(
        8.5, abs=0.7
    )  # by the normal distribution function, at a threshold of 2.3


@pytest.mark.parametrize("name", ["signal_events", "background_events"])
def test_events_are_positive(name: str) -> None:
    settings = {"signal_events": 1.0, "background_events": 1.0}
    with pytest.raises(ValueError, match=f"^{name} must be a positive number, got 0"):
        Significance(**{**settings, name: 0.0})


def test_information_about_numbers_and_categories_is_that_of_their_closed_forms() -> None:
    """4,000 rows: normal pairs with correlation .6; a category that moves the mean of a normal by
    2; 0.03 nats of error.
    """
    x, noise = RANDOM.normal(size=(2, 4000, 1))
    y = 0.6 * x + 0.8 * noise
    assert dependence.information(x, 50 * y, [0]).value == pytest.approx(
        -math.log(1 - 0.36) / 2, abs=0.03
    )
    label = np.arange(4000.0)[:, None] % 2
    grid = np.linspace(-8, 10, 4001)
    densities = [np.exp(-((grid - mean) ** 2) / 2) / math.sqrt(2 * math.pi) for mean in (0, 2)]
    mixture = sum(densities) / 2
    truth = np.trapezoid(-mixture * np.log(mixture), grid) - math.log(2 * math.pi * math.e) / 2
    assert dependence.information(noise + 2 * label, label, [2]).value == pytest.approx(
        truth, abs=0.03
    )
    both = np.hstack([50 * y, RANDOM.permutation(label)])
    assert dependence.information(x, both, [0, 2]).value == pytest.approx(
        -math.log(1 - 0.36) / 2, abs=0.05
    )


def test_a_score_that_never_varies_tells_nothing() -> None:
    pivot = RANDOM.normal(size=(500, 1))
    assert dependence.information(np.zeros((500, 1)), pivot, [0]).value == pytest.approx(
        0, abs=1e-6
    )
    assert dependence.information(
        np.zeros((500, 1)), (pivot > 0).astype(float), [2]
    ).value == pytest.approx(0, abs=1e-6)


def test_the_permutation_test_tells_dependence_from_none() -> None:
    x, noise = RANDOM.normal(size=(2, 300, 1))
    assert dependence.permuted(x, x + noise, [0], 19, seed=0).p_value == pytest.approx(1 / 20)
    assert dependence.permuted(x, noise, [0], 19, seed=0).p_value > 1 / 20
