"""Bounds at the best critic for a correlated Gaussian, whose truth has a closed form; Monte Carlo,
float64.

N rows, K product samples a row, with separate partners for each row, so that rows are independent;
D dimensions.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from infobound.estimators import bounds
from infobound.models.critics.scores import Scores

ROWS, NEGATIVES, DIM, RHO = 40_000, 8, 3, 0.6
TRUTH = -DIM / 2 * math.log(1 - RHO**2)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def log_ratio(x: Tensor, y: Tensor, rho: float) -> Tensor:
    """log p(x, y) / (p(x) p(y)), (..., D) -> (...)."""
    quadratic = (rho**2 * (x.square() + y.square()) - 2 * rho * x * y) / (2 * (1 - rho**2))
    return (-0.5 * math.log(1 - rho**2) - quadratic).sum(-1)


def best_scores(rho: float = RHO, rows: int = ROWS) -> Scores:
    x, noise, partners = (
        normal(rows, DIM, seed=1),
        normal(rows, DIM, seed=2),
        normal(rows, NEGATIVES, DIM, seed=3),
    )
    joint = log_ratio(x, rho * x + math.sqrt(1 - rho**2) * noise, rho)
    return Scores(joint, log_ratio(x[:, None], partners, rho))


def standard_error(rows: Tensor) -> float:
    return (rows.std() / math.sqrt(len(rows))).item()


SCORES = best_scores()
ERROR = standard_error(SCORES.joint - SCORES.product.exp().mean(1))
"""Standard error of the Donsker-Varadhan and NWJ bounds at their optimum, to first order."""


def test_the_log_ratio_is_that_of_the_densities() -> None:
    x, y = normal(20, DIM, seed=4), normal(20, DIM, seed=5)
    np.testing.assert_allclose(
        log_ratio(x, y, RHO).numpy(),
        densities_log_ratio(x.numpy(), y.numpy()),
        rtol=1e-9,
        atol=1e-12,
    )


def test_monte_carlo_is_sharp_enough_to_tell() -> None:
    assert ERROR < 0.01


def test_dv_at_the_log_ratio_reads_the_truth() -> None:
    assert abs(bounds.dv(SCORES).item() - TRUTH) < 4 * ERROR


def test_nwj_at_one_plus_the_log_ratio_reads_the_truth() -> None:
    assert abs(bounds.nwj(Scores(SCORES.joint + 1, SCORES.product + 1)).item() - TRUTH) < 4 * ERROR


def test_nwj_at_the_log_ratio_itself_reads_one_over_e_too_low() -> None:
    assert abs(bounds.nwj(SCORES).item() - (TRUTH - 1 / math.e)) < 4 * ERROR


def test_mine_at_the_log_ratio_has_an_average_of_one() -> None:
    assert abs(bounds.log_mean_exp(SCORES.product).item()) < 4 * standard_error(
        SCORES.product.exp().mean(1)
    )
    assert abs(bounds.mine(SCORES, torch.tensor(0.0)).item() - (TRUTH - 1)) < 4 * ERROR


@pytest.mark.parametrize(
    "bound", [bounds.dv, lambda scores: bounds.nwj(Scores(scores.joint + 1, scores.product + 1))]
)
def test_a_critic_that_is_not_the_best_reads_less(bound: Callable[[Scores], Tensor]) -> None:
    for scale in (0.6, 0.8, 1.1):
        assert bound(Scores(scale * SCORES.joint, scale * SCORES.product)) < bound(SCORES) - 0.003


def densities_log_ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The log ratio as log p(y | x) - log p(y), from SciPy's densities."""
    return (norm.logpdf(y, RHO * x, math.sqrt(1 - RHO**2)) - norm.logpdf(y)).sum(-1)


def test_infonce_at_the_log_ratio_is_its_expectation_below_truth_and_cap() -> None:
    """E log (K + 1) r_0 / (r_0 + ... + r_K) over y_0 ~ p(y | x) and K draws of p(y), sampled a
    second time.
    """
    random = np.random.default_rng(6)
    x, noise = random.standard_normal((2, ROWS, DIM))
    joint = np.exp(densities_log_ratio(x, RHO * x + math.sqrt(1 - RHO**2) * noise))
    partners = [
        np.exp(densities_log_ratio(x, random.standard_normal((ROWS, DIM))))
        for _ in range(NEGATIVES)
    ]
    again = np.log((NEGATIVES + 1) * joint / (joint + sum(partners)))
    rows = SCORES.joint - torch.cat([SCORES.joint[:, None], SCORES.product], 1).logsumexp(1)
    error = math.hypot(standard_error(rows), again.std() / math.sqrt(ROWS))
    value = bounds.infonce(SCORES).item()
    assert error < 0.01
    assert abs(value - again.mean()) < 4 * error
    assert value < min(TRUTH, math.log(NEGATIVES + 1)) - 4 * error


def test_infonce_comes_close_to_its_cap_where_the_truth_is_beyond() -> None:
    value, cap = bounds.infonce(best_scores(rho=0.999, rows=2000)).item(), math.log(NEGATIVES + 1)
    assert 0.99 * cap < value <= cap
