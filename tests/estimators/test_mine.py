"""MINE: its moving average, and the gradient that divides by it."""

import math

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from infobound.estimators import bounds
from infobound.estimators.base import Bound
from infobound.estimators.measurement import Measurement
from infobound.estimators.mine import MINE
from infobound.models.critics.dense import Separable
from infobound.models.critics.scores import Scores

ALPHA, BATCH, NEGATIVES = 0.1, 6, 4
PAIRS = torch.zeros(BATCH, 1), torch.zeros(BATCH, 1)
TWO_PAIRS = torch.zeros(2, 1), torch.zeros(2, 1)


def batches(count: int, scale: float = 1.0) -> list[Scores]:
    source = torch.Generator().manual_seed(0)
    values = scale * torch.randn(count, BATCH, NEGATIVES + 1, generator=source, dtype=torch.float64)
    return [Scores(each[:, 0], each[:, 1:]) for each in values]


def averages(scores: list[Scores], alpha: float = ALPHA) -> list[float]:
    """The moving average of the paper, without logarithms."""
    averages: list[float] = []
    for batch in scores:
        mean = batch.product.exp().mean().item()
        averages.append((1 - alpha) * averages[-1] + alpha * mean if averages else mean)
    return averages


@pytest.mark.parametrize("alpha", [0.01, 0.5, 1.0])
def test_the_moving_average_in_log_space_is_the_naive_one(alpha: float) -> None:
    estimator, scores = MINE(alpha=alpha).double(), batches(20)
    for batch, average in zip(scores, averages(scores, alpha), strict=True):
        estimator.update(batch)
        assert estimator.log_average.exp().item() == pytest.approx(average, rel=1e-12)


def test_the_average_begins_at_the_first_batch() -> None:
    estimator, (first,) = MINE(alpha=ALPHA).double(), batches(1)
    assert estimator.log_average.item() == -math.inf
    estimator.update(first)
    assert estimator.log_average.item() == pytest.approx(
        first.product.exp().mean().log().item(), rel=1e-12
    )


def test_only_update_changes_the_average() -> None:
    estimator, scores = MINE(alpha=ALPHA).double(), batches(3)
    estimator.update(scores[0])
    before = estimator.log_average.clone()
    readings = [estimator.bound(scores[1], *PAIRS) for _ in range(2)]
    assert readings[0] == readings[1]
    assert torch.equal(estimator.log_average, before)
    estimator.update(scores[1])
    assert not torch.equal(estimator.log_average, before)


def gradients(estimator: MINE, batch: Scores, weight: Tensor, name: str) -> Tensor:
    """Gradients of one field of the bound, for a critic with the scores weight . features."""
    scores = Scores(batch.joint * weight, batch.product * weight)
    (gradient,) = torch.autograd.grad(getattr(estimator.bound(scores, *PAIRS), name), weight)
    return gradient


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_the_gradient_divides_by_the_average_including_this_batch(steps: int) -> None:
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    estimator, features = MINE(alpha=ALPHA).double(), batches(steps + 1)
    scores = [Scores(0.7 * joint, 0.7 * product) for joint, product in features]
    for batch in scores[:-1]:
        estimator.update(batch)
    last = features[-1]
    weighted = (scores[-1].product.exp() * last.product).mean() / averages(scores)[-1]
    expected = last.joint.mean() - weighted
    torch.testing.assert_close(gradients(estimator, last, weight, "objective"), expected)
    torch.testing.assert_close(gradients(estimator, last, weight, "fit"), -expected)


def test_the_objective_has_the_value_of_donsker_varadhan() -> None:
    estimator, scores = MINE(alpha=ALPHA).double(), batches(4)
    for batch in scores:
        reading = estimator.bound(batch, *PAIRS)
        torch.testing.assert_close(reading.objective, bounds.dv(batch))
        torch.testing.assert_close(reading.value, bounds.dv(batch))
        estimator.update(batch)


def test_an_alpha_of_one_is_donsker_varadhan() -> None:
    estimator, features = MINE(alpha=1.0).double(), batches(2)
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    estimator.update(features[0])
    dv = bounds.dv(Scores(features[1].joint * weight, features[1].product * weight))
    torch.testing.assert_close(
        gradients(estimator, features[1], weight, "objective"), torch.autograd.grad(dv, weight)[0]
    )


@pytest.mark.parametrize("level", [-1000.0, 100.0, 1000.0])
def test_scores_that_exp_does_not_survive_leave_the_average_finite(level: float) -> None:
    estimator = MINE(alpha=ALPHA)
    weight = torch.ones((), requires_grad=True)
    scores = Scores(torch.zeros(2), torch.tensor([[level, 0.0], [0.0, 0.0]]) * weight)
    estimator.update(Scores(*(values.detach() for values in scores)))
    assert estimator.log_average.item() == pytest.approx(
        max(level - math.log(4), math.log(0.75)), abs=1e-3
    )
    reading = estimator.bound(scores, *TWO_PAIRS)
    assert all(value.isfinite() for value in reading)
    assert torch.autograd.grad(reading.fit, weight)[0].isfinite()


def test_a_sudden_batch_weighs_no_more_than_one_over_alpha() -> None:
    estimator = MINE(alpha=ALPHA)
    estimator.update(Scores(torch.zeros(2), torch.zeros(2, 2)))
    product = torch.full((2, 2), 500.0, requires_grad=True)
    reading = estimator.bound(Scores(torch.zeros(2), product), *TWO_PAIRS)
    (gradient,) = torch.autograd.grad(reading.fit, product)
    assert gradient.sum().item() == pytest.approx(1 / ALPHA, rel=1e-4)


def test_lifted_copies_have_separate_averages() -> None:
    torch.manual_seed(0)
    modules = [
        Measurement(Separable(2, 2, hidden=[4], embed=3, activation="ELU"), MINE(alpha=ALPHA))
        for _ in range(3)
    ]
    parameters, buffers = stack_module_state(modules)

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], *pairs: Tensor) -> Bound:
        return functional_call(modules[0], (parameters, buffers), pairs)

    for _ in range(3):
        x, y = torch.randn(3, BATCH, 2), torch.randn(3, BATCH, 2)
        lifted = vmap(run)(parameters, buffers, x, y)
        alone = [module(*pairs) for module, *pairs in zip(modules[1:], x[1:], y[1:], strict=True)]
        for copies, each in zip(lifted, zip(*alone, strict=True), strict=True):
            torch.testing.assert_close(copies[1:], torch.stack(each))
    average = buffers["estimator.log_average"]
    expected = torch.stack([module.estimator.get_buffer("log_average") for module in modules[1:]])
    torch.testing.assert_close(average[1:], expected)
    assert average.unique().numel() == 3


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_an_alpha_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"^alpha must be above 0 and at most 1, got "):
        MINE(alpha=alpha)
