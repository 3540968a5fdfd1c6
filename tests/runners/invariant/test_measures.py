"""Measures of classifiers on held-out rows, at known truths: ranking, parity, sculpting,
significance and information.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

from infobound.datasets.labelled.bivariate import Bivariate
from infobound.datasets.labelled.rows import LabelledRows
from infobound.runners.invariant import dependence, parity, ranking, sculpting
from infobound.runners.invariant.measures import Judging, Measures
from infobound.runners.invariant.predictions import Predictions
from infobound.runners.invariant.readings import Unread
from infobound.runners.invariant.significance import Significance, ams, thresholds

RANDOM = torch.Generator().manual_seed(0)
ONES = torch.ones(2000, dtype=torch.float64)
MEASURES = Measures(
    Bivariate(),
    Judging(
        background=0,
        background_only=False,
        eval_rows=100,
        test_rows=100,
        permutations=9,
        efficiency=0.1,
    ),
)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=RANDOM, dtype=torch.float64)


def uniform(size: int) -> Tensor:
    return torch.rand(size, generator=RANDOM, dtype=torch.float64)


def ones(size: int) -> Tensor:
    return torch.ones(size, dtype=torch.float64)


def predictions(logits: Tensor, labels: Tensor, pivots: Tensor) -> Predictions:
    return Predictions(LabelledRows(logits, labels, pivots[:, None]), logits)


def test_copies_are_read_as_one_row_each_and_errors_are_those_of_units() -> None:
    """200 rows, and five copies of each with their units."""
    labels = (uniform(200) < 0.5).long()
    once = predictions(normal(200, 1) + labels[:, None], labels, normal(200))
    which = torch.arange(1000) % 200
    copies = Predictions(replace(once.rows.take(which), units=which), once.logits[which])
    alone, beside = (
        MEASURES.tested(each, MEASURES.watched(each, 1000), 0) for each in (once, copies)
    )
    for name in ("auc", "accuracy", "mi", "mi_label"):
        assert beside.values[name] == pytest.approx(alone.values[name])
        assert beside.errors[name] == pytest.approx(alone.errors[name], rel=0.05)
    assert MEASURES.p_value(copies, 0) == MEASURES.p_value(once, 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_area_is_scikit_learns_with_ties_and_weights(weighted: bool) -> None:
    score, positive = (8 * uniform(300)).floor(), uniform(300) < 0.4
    weights = uniform(300) if weighted else ones(300)
    area = ranking.area(score, positive, weights)
    theirs = positive.numpy(), score.numpy()
    assert area.value == pytest.approx(roc_auc_score(*theirs, sample_weight=weights.numpy()))
    wanted = roc_curve(*theirs, sample_weight=weights.numpy(), drop_intermediate=False)
    for mine, other in zip(ranking.roc(score, positive, weights), wanted[:2], strict=True):
        np.testing.assert_allclose(mine.numpy(), other, atol=1e-12)


def test_the_standard_error_of_an_area_is_its_spread_over_samples() -> None:
    def drawn() -> ranking.Area:
        positive = uniform(400) < 0.5
        return ranking.area(normal(400) + positive, positive, ones(400))

    areas = [drawn() for _ in range(400)]
    assert np.mean([each.stderr for each in areas]) == pytest.approx(
        np.std([each.value for each in areas]), rel=0.15
    )


@pytest.mark.parametrize("few", [3, 7, 20])
@pytest.mark.parametrize("shape", ["normal", "exponential", "ties"])
@pytest.mark.parametrize("area", [0.6, 0.8, 0.95])
def test_few_rows_of_a_class_give_an_error_that_holds(few: int, shape: str, area: float) -> None:
    """1.96 standard errors on each side hold the true area in at least 90 of 100 samples. Of 150
    samples, fewer than 126 would be such by chance with probability 0.01.
    """
    positive, random = torch.arange(150) < few, torch.Generator().manual_seed(few)
    normal = torch.distributions.Normal(0.0, 1.0)
    shift = math.sqrt(2) * normal.icdf(torch.tensor(area))
    ends = torch.arange(-9.0, 10.0)
    below, levels = normal.cdf(ends), normal.cdf(ends - shift).diff()
    tied = float(levels @ (below[1:] + below[:-1]) / 2)

    def drawn() -> tuple[Tensor, float]:
        if shape == "exponential":
            draw = torch.empty(150).exponential_(generator=random)
            return draw.where(~positive, draw * area / (1 - area)), area
        score = torch.randn(150, generator=random) + shift * positive
        return (score.floor(), tied) if shape == "ties" else (score, area)

    held = 0
    for _ in range(150):
        score, truth = drawn()
        found = ranking.area(score, positive, ones(150))
        held += abs(found.value - truth) <= 1.96 * found.stderr
    assert held >= 126


def test_the_error_of_an_area_is_never_0_and_swaps_with_the_classes() -> None:
    score, positive = normal(60), torch.arange(60) < 4
    weights = 0.1 + uniform(60)
    for each in (score, score + 100 * positive, 0 * score):
        one, other = ranking.area(each, positive, weights), ranking.area(-each, ~positive, weights)
        assert [*one] == pytest.approx([*other])
        assert one.stderr > 0.05
    apart = ranking.area(score + 100 * positive, positive, weights)
    assert apart.value == pytest.approx(1)


def test_without_rows_to_compare_nothing_is_read() -> None:
    score, some = normal(20), torch.arange(20) < 10
    nobody = torch.zeros(20, dtype=torch.float64)
    for positive, weights in ((some & ~some, ones(20)), (some, nobody), (some, some.double())):
        with pytest.raises(Unread):
            ranking.area(score, positive, weights)
    with pytest.raises(Unread):
        parity.demographic_parity(some.long(), torch.zeros(20), ones(20))
    with pytest.raises(Unread):
        parity.equalised_odds(some.long(), some.long(), some.double(), ones(20))
    with pytest.raises(Unread, match="one value in all 20 rows"):
        dependence.information(score[:, None], torch.ones(20, 1), [2])
    with pytest.raises(Unread, match="there are 6 rows"):
        dependence.information(score[:6, None], score[:6, None], [0])


def test_log_odds_are_of_one_class_against_all_others() -> None:
    labels = torch.tensor([0, 1])
    found = predictions(torch.tensor([[1.0, -2.0], [0.0, 3.0]]), labels, labels.float())
    torch.testing.assert_close(found.predicted.exp().sum(1), ones(2))
    for label in range(3):
        torch.testing.assert_close(found.log_odds(label), found.predicted[:, label].exp().logit())
    two = predictions(torch.tensor([[1.5]]), labels[:1], labels[:1].float())
    torch.testing.assert_close(-two.log_odds(0), 1.5 * ones(1))


def test_the_predictions_of_a_class_are_those_of_its_rows_and_rows_count_once() -> None:
    labels = torch.tensor([0, 1, 0, 1])
    found = predictions(torch.arange(4.0)[:, None], labels, torch.arange(4.0)).of_class(1)
    assert found.logits[:, 0].tolist() == found.pivots[:, 0].tolist() == [1, 3]
    assert found.labels.tolist() == found.weights.tolist() == [1, 1]


def test_equally_treated_groups_have_no_difference_and_others_have_one() -> None:
    groups = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1])
    labels = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])
    assert parity.demographic_parity(labels, groups, ones(8)) == 0
    assert parity.equalised_odds(labels, labels, groups, ones(8)) == 0
    answers = torch.tensor([0, 1, 1, 1, 0, 0, 0, 1])
    assert parity.demographic_parity(answers, groups, ones(8)) == pytest.approx(3 / 4 - 1 / 4)
    assert parity.equalised_odds(answers, labels, groups, ones(8)) == pytest.approx(1 / 2)
    some = torch.tensor([1, 0, 1, 1, 0, 0, 0, 1.0]).double()
    assert parity.demographic_parity(answers, groups, some) == pytest.approx(1 - 2 / 3)
    with pytest.raises(Unread, match="not two groups"):
        parity.demographic_parity(answers, groups, torch.where(groups == 1, 0.0, ones(8)))


def test_only_a_cut_that_depends_on_the_pivot_sculpts_more_than_chance() -> None:
    pivot, passes = normal(2000), uniform(2000) < 0.2
    blind = sculpting.sculpted(pivot, passes, ONES, 0, seed=0)
    assert blind.divergence == pytest.approx(blind.by_chance, abs=0.01)
    seeing = sculpting.sculpted(pivot, pivot > 1, ONES, 0, seed=0)
    assert seeing.divergence == pytest.approx(
        math.log(2), abs=0.04
    )  # disjoint except for the bin that contains the cut
    assert seeing.distance > 5 * blind.distance


def test_the_divergence_of_two_histograms_is_jensen_and_shannons() -> None:
    """Shares (3/4, 1/4) against (1/4, 3/4)."""
    cells, passes = torch.tensor([0, 0, 0, 1, 0, 1, 1, 1]), torch.arange(8) < 4
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert sculpting.divergence(cells, passes, ones(8)) == pytest.approx(expected)
    weights = torch.where(passes, 7.0, 2.0).double()
    assert sculpting.divergence(cells, passes, weights) == pytest.approx(expected)
    assert sculpting.divergence(cells, passes | True, ones(8)) == 0


def test_a_threshold_lets_its_share_pass() -> None:
    score = torch.randperm(1000, generator=RANDOM).double()
    for share in (0.001, 0.05, 0.5, 1.0):
        passing = score >= sculpting.threshold(score, share, ones(1000))
        assert passing.double().mean().item() == pytest.approx(share)
    weights = torch.where(score >= 500, 3.0, 1.0).double()
    passing = score >= sculpting.threshold(score, 0.5, weights)
    assert (weights[passing].sum() / weights.sum()).item() == pytest.approx(0.5, abs=0.002)


def test_significance_matches_counting_and_falls_with_the_uncertainty() -> None:
    """s / sqrt(b) for small s; Cowan's closed form if b has the uncertainty u."""
    s, b = torch.tensor([1.0, 10.0]).double(), torch.tensor([1e4, 100.0]).double()
    certain = ams(s, b, 0 * s)
    torch.testing.assert_close(certain, (2 * ((s + b) * (s / b).log1p() - s)).sqrt())
    assert certain[0].item() == pytest.approx(1 / 100, rel=1e-3)
    torch.testing.assert_close(ams(s, b, 0 * s + 1e-4), certain, rtol=1e-3, atol=0)
    unknown = ams(s, b, torch.tensor([100.0, 10.0]).double())
    assert unknown[0].item() == pytest.approx(1 / math.sqrt(1e4 + 100**2), rel=1e-2)
    assert ams(s, 0 * s, 0 * s).tolist() == [0, 0]


def test_a_background_is_certain_only_if_it_passes_equally_at_every_pivot() -> None:
    size = 20_000
    labels, pivot = torch.arange(size) % 2, normal(size)
    counted = Significance(100.0, 1000.0)
    curves = []
    for dependence_on_pivot in (0.0, 1.0):
        logits = normal(size) + 2 * labels + dependence_on_pivot * pivot
        found = predictions(logits[:, None], labels, pivot)
        curves.append(counted.curve(found, 0, [0], thresholds(found, 0)))
    alike, other = ((curve.ams / curve.certain)[:-1] for curve in curves)
    assert alike.mean() > 0.85
    assert other.mean() < 0.6
    assert curves[0].certain.max().item() == pytest.approx(
        8.5, abs=0.7
    )  # from the normal distribution function, at a threshold of 2.3


@pytest.mark.parametrize("name", ["signal_events", "background_events"])
def test_events_are_positive(name: str) -> None:
    settings = {"signal_events": 1.0, "background_events": 1.0}
    with pytest.raises(ValueError, match=f"^{name} must be a positive number, got 0"):
        Significance(**{**settings, name: 0.0})


def test_information_about_numbers_and_categories_is_that_of_their_closed_forms() -> None:
    """For 4,000 rows, the error is 0.03 nats: normal pairs with correlation .6, and a category that
    shifts the mean of a normal by 2.
    """
    x, noise = normal(2, 4000, 1)
    y = 0.6 * x + 0.8 * noise
    expected = -math.log(1 - 0.36) / 2
    assert dependence.information(x, 50 * y, [0]).value == pytest.approx(expected, abs=0.03)
    label = torch.arange(4000)[:, None] % 2
    grid = np.linspace(-8, 10, 4001)
    densities = [np.exp(-((grid - mean) ** 2) / 2) / math.sqrt(2 * math.pi) for mean in (0, 2)]
    mixture = sum(densities) / 2
    truth = np.trapezoid(-mixture * np.log(mixture), grid) - math.log(2 * math.pi * math.e) / 2
    assert dependence.information(noise + 2 * label, label, [2]).value == pytest.approx(
        truth, abs=0.03
    )
    shuffled = label[torch.randperm(4000, generator=RANDOM)]
    both = torch.cat([50 * y, shuffled], dim=1)
    assert dependence.information(x, both, [0, 2]).value == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_a_constant_score_has_no_information(constant: float) -> None:
    pivot, score = normal(500, 1), torch.full((500, 1), constant)
    for variable, count in ((pivot, 0), ((pivot > 0).long(), 2)):
        value = dependence.information(score, variable, [count]).value
        assert value == pytest.approx(0, abs=1e-6)


def test_the_permutation_test_distinguishes_dependence_from_independence() -> None:
    x, noise = normal(2, 300, 1)
    assert dependence.permuted(x, x + noise, [0], 19, seed=0).p_value == pytest.approx(1 / 20)
    assert dependence.permuted(x, noise, [0], 19, seed=0).p_value > 1 / 20
