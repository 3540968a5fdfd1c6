"""I_alpha against its definition sample by sample, at both ends of alpha and at its cap; float64.

N rows, K product samples a row.
"""

import math

import pytest
import torch
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.interpolated import Interpolated
from infobound.models.critics.baselines import ConstantBaseline
from infobound.models.critics.scores import Scores


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small() -> Scores:
    return Scores(normal(6, seed=1), normal(6, 5, seed=2))


def leave_out(rows: Tensor, index: int) -> Tensor:
    return torch.cat([rows[:, :index], rows[:, index + 1 :]], dim=1)


def naive_interpolated(scores: Scores, log_q: Tensor, alpha: float) -> float:
    """The definition, sample by sample, with plain exponentials."""
    joint, product = scores
    total = 0.0
    for i in range(len(joint)):
        q = math.exp(log_q[i])
        ratios = [math.exp(t) for t in product[i]]
        for k in range(len(ratios)):
            beside_joint = [math.exp(joint[i]), *ratios[:k], *ratios[k + 1 :]]
            first = joint[i] - math.log(alpha * sum(beside_joint) / len(ratios) + (1 - alpha) * q)
            second = ratios[k] / (alpha * sum(ratios) / len(ratios) + (1 - alpha) * q)
            total += 1 + float(first) - second
    return total / product.numel()


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_interpolated_is_its_definition(alpha: float) -> None:
    log_q = normal(6, seed=6)
    expected = naive_interpolated(small(), log_q, alpha)
    assert float(bounds.interpolated(small(), log_q, alpha)) == pytest.approx(expected, rel=1e-9)


def test_interpolated_at_alpha_zero_is_tuba() -> None:
    log_q = normal(6, seed=6)
    torch.testing.assert_close(bounds.interpolated(small(), log_q, 0), bounds.tuba(small(), log_q))


def test_interpolated_at_alpha_one_is_infonce_with_one_product_sample_left_out() -> None:
    joint, product = small()
    infonce = [
        bounds.infonce(Scores(joint, leave_out(product, k))) for k in range(product.shape[1])
    ]
    torch.testing.assert_close(
        bounds.interpolated(small(), normal(6, seed=6), 1), torch.stack(infonce).mean()
    )


def test_interpolated_survives_one_score_that_outweighs_all_others() -> None:
    """The sum without it must not become zero: here the joint score and the other product scores
    are 60 nats lower.
    """
    joint, product = small()
    product[:, 2] += 60
    infonce = [
        bounds.infonce(Scores(joint, leave_out(product, k))) for k in range(product.shape[1])
    ]
    value = bounds.interpolated(Scores(joint, product), torch.zeros(6), 1)
    torch.testing.assert_close(value, torch.stack(infonce).mean())


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_interpolated_has_the_gradient_of_finite_differences(alpha: float) -> None:
    joint, product = small()
    inputs = [values.requires_grad_() for values in (joint, product, normal(6, seed=6))]
    assert torch.autograd.gradcheck(
        lambda j, p, q: bounds.interpolated(Scores(j, p), q, alpha), inputs
    )


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_interpolated_reaches_its_cap_and_no_more(alpha: float) -> None:
    estimator = Interpolated(alpha=alpha, baseline=ConstantBaseline)
    estimator.prepare(torch.zeros(4, 1), torch.zeros(4, 1))
    scores = Scores(torch.full((4,), 1e4), torch.full((4, 7), -1e4))
    value = estimator.bound(scores, torch.zeros(4, 1), torch.zeros(4, 1)).value
    assert float(value) == pytest.approx(estimator.cap(7), rel=1e-5)
