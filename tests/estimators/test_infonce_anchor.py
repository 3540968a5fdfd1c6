"""InfoNCE with an anchor, by its definition and at its optimum; float64.

N rows, K samples in a tuple.
"""

import math

import pytest
import torch
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.infonce_anchor import InfoNCEAnchor
from infobound.models.critics.scores import Scores

ROWS, SAMPLES, RHO = 20_000, 6, 0.95
TRUTH = -math.log(1 - RHO**2) / 2


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def best_scores() -> Scores:
    x = normal(ROWS, seed=1)
    y = RHO * x + math.sqrt(1 - RHO**2) * normal(ROWS, seed=2)
    return Scores(log_ratio(x, y), log_ratio(x[:, None], normal(ROWS, SAMPLES, seed=3)))


def log_ratio(x: Tensor, y: Tensor) -> Tensor:
    quadratic = (RHO**2 * (x**2 + y**2) - 2 * RHO * x * y) / (2 * (1 - RHO**2))
    return TRUTH - quadratic


SCORES, EMPTY = best_scores(), torch.zeros(ROWS, 1)


@pytest.mark.parametrize("nu", [0.5, 6.0])
def test_the_objective_is_its_definition(nu: float) -> None:
    joint, product = normal(9, seed=4), normal(9, SAMPLES, seed=5)
    r, others = joint.exp(), product.exp()
    found = (r / (nu + r + others[:, 1:].sum(1))).log().mean()
    missed = (nu / (nu + others.sum(1))).log().mean()
    expected = (SAMPLES * found + nu * missed) / (SAMPLES + nu)
    torch.testing.assert_close(bounds.anchored(Scores(joint, product), nu), expected)


@pytest.mark.parametrize("nu", [0.5, 6.0, 40.0])
def test_no_shift_nor_scale_is_better_than_the_log_ratio(nu: float) -> None:
    """The objective has no slope at the log ratio, up to four standard errors."""
    shift, scale = torch.zeros((), requires_grad=True), torch.ones((), requires_grad=True)
    moved = Scores(*(scale * each + shift for each in SCORES))
    slopes = torch.autograd.grad(bounds.anchored(moved, nu), [shift, scale])
    assert max(abs(float(slope)) for slope in slopes) < 0.02


def test_the_value_at_the_log_ratio_is_the_truth_above_the_cap_of_infonce() -> None:
    few = Scores(SCORES.joint, SCORES.product[:, :1])
    read = InfoNCEAnchor().bound(few, EMPTY, EMPTY)
    assert abs(float(read.value) - TRUTH) < 4 * float(SCORES.joint.std()) / math.sqrt(ROWS)
    assert read.value > math.log(2)
    assert InfoNCEAnchor().cap(1) is None


def test_one_sample_is_a_logistic_regression() -> None:
    scores = Scores(normal(9, seed=6), normal(9, 1, seed=7))
    expected = (bounds.jsd(scores) - math.log(4)) / 2
    torch.testing.assert_close(bounds.anchored(scores, 1.0), expected)


def test_scores_that_are_far_apart_stay_finite() -> None:
    for far in (1e4, -1e4):
        scores = Scores(torch.full((4,), far), torch.full((4, 3), -far))
        assert InfoNCEAnchor().bound(scores, EMPTY[:4], EMPTY[:4]).fit.isfinite()


@pytest.mark.parametrize("nu", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_not_positive_is_refused(nu: float) -> None:
    with pytest.raises(ValueError, match=r"^nu must be positive"):
        InfoNCEAnchor(nu=nu)
