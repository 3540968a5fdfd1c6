"""TUBA, JS, JSD, SMILE, ReMINE and FLO against naive formulas and at the optimum; float64.

N rows, K product samples a row.
"""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infobound.estimators import bounds
from infobound.estimators.base import Estimator
from infobound.estimators.dv import DV
from infobound.estimators.flo import FLO
from infobound.estimators.interpolated import Interpolated
from infobound.estimators.js import JS
from infobound.estimators.jsd import JSD
from infobound.estimators.remine import ReMINE
from infobound.estimators.smile import SMILE
from infobound.estimators.tuba import TUBA
from infobound.models.critics.baselines import ConstantBaseline, MLPBaseline
from infobound.models.critics.scores import Scores

RHO, ROWS = 0.7, 40_000
TRUTH = -math.log(1 - RHO**2) / 2


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small(scale: float = 1.0) -> Scores:
    return Scores(scale * normal(6, seed=1), scale * normal(6, 5, seed=2))


def log_ratio(x: Tensor, y: Tensor) -> Tensor:
    """log p(x, y) / (p(x) p(y)) of one correlated Gaussian pair."""
    return TRUTH - (RHO**2 * (x.square() + y.square()) - 2 * RHO * x * y) / (2 * (1 - RHO**2))


def optimal(partners: int = 8) -> Scores:
    x, y = normal(ROWS, seed=3), normal(ROWS, partners, seed=4)
    return Scores(
        log_ratio(x, RHO * x + math.sqrt(1 - RHO**2) * normal(ROWS, seed=5)),
        log_ratio(x[:, None], y),
    )


def standard_error(scores: Scores) -> float:
    return float((scores.joint - scores.product.exp().mean(1)).std() / math.sqrt(ROWS))


def read(estimator: Estimator, scores: Scores) -> float:
    return float(
        estimator.bound(scores, *[torch.zeros(len(scores.joint), 1, dtype=torch.float64)] * 2).value
    )


def test_tuba_is_its_formula() -> None:
    joint, product = small()
    log_a = normal(6, seed=6)
    expected = 1 + (joint - log_a).mean() - (product.exp() / log_a.exp()[:, None]).mean()
    torch.testing.assert_close(bounds.tuba(small(), log_a), expected)


def test_tuba_with_baseline_e_is_nwj() -> None:
    torch.testing.assert_close(
        bounds.tuba(small(), torch.ones(6, dtype=torch.float64)), bounds.nwj(small())
    )


@pytest.mark.parametrize("level", [1e3, -1e3])
def test_scores_that_exp_does_not_survive_leave_values_finite(level: float) -> None:
    scores = Scores(torch.full((4,), level), torch.full((4, 3), level))
    zero = torch.zeros(4)
    assert float(bounds.interpolated(scores, zero, 1)) == pytest.approx(0, abs=1e-3)
    assert float(bounds.flo(scores, zero)) == pytest.approx(0, abs=1e-3)
    assert math.isfinite(bounds.smile(scores, 5.0))
    assert math.isfinite(bounds.jsd(scores))


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9])
def test_interpolated_at_the_log_ratio_lies_below_the_truth(alpha: float) -> None:
    scores = optimal()
    value = float(bounds.interpolated(scores, torch.zeros(ROWS, dtype=torch.float64), alpha))
    assert TRUTH - 0.2 < value < TRUTH + 4 * standard_error(scores)


def test_js_is_unbiased_at_the_log_ratio_where_nwj_reads_one_over_e_low() -> None:
    scores = optimal()
    error = 4 * standard_error(scores)
    assert error < 0.05
    assert read(JS(), scores) == pytest.approx(TRUTH, abs=error)
    assert float(bounds.nwj(scores)) == pytest.approx(TRUTH - 1 / math.e, abs=error)


def test_jsd_is_log_four_less_two_balanced_cross_entropies() -> None:
    joint, product = small(3.0)
    entropy = F.binary_cross_entropy_with_logits
    expected = (
        math.log(4)
        - entropy(joint, torch.ones_like(joint))
        - entropy(product, torch.zeros_like(product))
    )
    torch.testing.assert_close(bounds.jsd(small(3.0)), expected)


def test_jsd_is_greatest_at_the_log_ratio_and_below_log_four() -> None:
    scores = optimal()
    best = read(JSD(), scores)
    for scale, shift in ((0.8, 0.0), (1.2, 0.0), (1.0, 0.3), (1.0, -0.3)):
        assert (
            read(JSD(), Scores(scale * scores.joint + shift, scale * scores.product + shift)) < best
        )
    assert best < JSD().cap(1) == math.log(4)


@pytest.mark.parametrize("estimator", [JS(), SMILE(tau=1.0), SMILE(tau=math.inf)])
def test_surrogate_estimators_follow_the_jensen_shannon_gradient(estimator: Estimator) -> None:
    scores = Scores(*(values.requires_grad_() for values in small()))
    expected = torch.autograd.grad(bounds.jsd(scores), scores)
    bound = estimator.bound(scores, torch.zeros(6, 1), torch.zeros(6, 1))
    assert bound.objective.item() == pytest.approx(bound.value.item())
    for sign, surrogate in ((-1, bound.fit), (1, bound.objective)):
        for gradient, reference in zip(
            torch.autograd.grad(surrogate, scores, retain_graph=True), expected, strict=True
        ):
            torch.testing.assert_close(sign * gradient, reference)


def test_smile_without_clipping_is_donsker_varadhan() -> None:
    assert read(SMILE(tau=math.inf), small(4.0)) == read(DV(), small(4.0))


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_smile_clips_the_partition_function_alone(tau: float) -> None:
    joint, product = small(4.0)
    expected = joint.mean() - product.exp().clamp(math.exp(-tau), math.exp(tau)).mean().log()
    assert read(SMILE(tau=tau), small(4.0)) == pytest.approx(float(expected))


def test_remine_penalises_its_constant_only_in_fit() -> None:
    scores = Scores(*(values.requires_grad_() for values in small()))
    bound = ReMINE(lam=0.1, target=2.0).bound(scores, torch.zeros(6, 1), torch.zeros(6, 1))
    plain = bounds.dv(scores)
    penalty = 0.1 * (scores.product.exp().mean().log() - 2) ** 2
    torch.testing.assert_close(bound.value, plain.detach())
    torch.testing.assert_close(bound.objective, plain)
    torch.testing.assert_close(bound.fit, penalty - plain)


def test_flo_is_its_formula() -> None:
    joint, product = small()
    dual = normal(6, seed=6)
    expected = 1 - (dual + (product - joint[:, None] - dual[:, None]).exp().mean(1)).mean()
    torch.testing.assert_close(bounds.flo(small(), dual), expected)


def test_flo_at_the_log_ratio_reads_the_truth_and_no_other_dual_reads_more() -> None:
    scores = optimal()
    best = float(bounds.flo(scores, -scores.joint))
    assert best == pytest.approx(TRUTH, abs=4 * standard_error(scores))
    for shift in (-0.3, 0.3):
        assert float(bounds.flo(scores, -scores.joint + shift)) < best


def test_flo_ignores_what_the_critic_adds_to_a_row() -> None:
    scores, dual = small(), normal(6, seed=6)
    row = 10 * normal(6, seed=7)
    moved = Scores(scores.joint + row, scores.product + row[:, None])
    torch.testing.assert_close(bounds.flo(moved, dual), bounds.flo(scores, dual))


@pytest.mark.parametrize(
    "baseline", [ConstantBaseline, partial(MLPBaseline, hidden=[16], activation="ReLU")]
)
def test_a_learned_baseline_takes_up_a_constant_of_the_critic(
    baseline: Callable[[int], nn.Module],
) -> None:
    """Scores three nats too high read far too low until a(x) = exp 3 is learned."""
    scores = Scores(*(values[:2000].float() + 3 for values in optimal()))
    x = torch.zeros(2000, 1)
    estimator = TUBA(baseline=baseline)
    estimator.prepare(x, x)
    optimizer = torch.optim.Adam(estimator.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        estimator.bound(scores, x, x).fit.backward()
        optimizer.step()
    assert float(estimator.bound(scores, x, x).value) == pytest.approx(TRUTH, abs=0.05)


def test_flo_learns_its_dual() -> None:
    x, noise, other = (
        values.float()[:, None]
        for values in (normal(4000, seed=3), normal(4000, seed=4), normal(4000, seed=5))
    )
    y = RHO * x + math.sqrt(1 - RHO**2) * noise
    scores = Scores(
        log_ratio(x, y)[:, 0], log_ratio(x, torch.cat([other.roll(k) for k in range(8)], dim=1))
    )
    torch.manual_seed(0)
    estimator = FLO(hidden=[32], activation="Tanh")
    estimator.prepare(x, y)
    optimizer = torch.optim.Adam(estimator.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        estimator.bound(scores, x, y).fit.backward()
        optimizer.step()
    assert float(estimator.bound(scores, x, y).value) == pytest.approx(TRUTH, abs=0.05)


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: SMILE(tau=0.0), "tau"),
        (lambda: SMILE(tau=math.nan), "tau"),
        (lambda: ReMINE(lam=-0.1, target=0.0), "lam"),
        (lambda: Interpolated(alpha=1.1, baseline=ConstantBaseline), "alpha"),
        (lambda: FLO(hidden=[0], activation="ReLU"), "hidden"),
        (lambda: FLO(hidden=[8], activation="Nothing"), "activation"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(build, argument: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} must"):
        build()
