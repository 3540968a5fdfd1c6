"""Bounds against second implementations and hand-computed values, and their invariances; float64
unless a test says otherwise.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from infobound.estimators import bounds
from infobound.estimators.base import Estimator
from infobound.estimators.dv import DV
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.nwj import NWJ
from infobound.models.critics.scores import Scores, from_matrix

Bound = Callable[[Scores], Tensor]


def mine(scores: Scores) -> Tensor:
    return bounds.mine(scores, torch.tensor(0.3, dtype=torch.float64))


EVERY: dict[str, Bound] = {
    "dv": bounds.dv,
    "nwj": bounds.nwj,
    "infonce": bounds.infonce,
    "mine": mine,
}
every_bound = pytest.mark.parametrize("bound", EVERY.values(), ids=EVERY)


def random_matrix(size: int = 6, scale: float = 1.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(
        size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def random_scores(negatives: int = 4) -> Scores:
    joint, product = from_matrix(random_matrix())
    return Scores(joint, product[:, :negatives])


def by_loop(name: str, scores: Scores) -> float:
    """The formulas of the papers, with exp of raw scores and Python's floats."""
    joint, product = scores.joint.tolist(), scores.product.tolist()
    mean_joint = math.fsum(joint) / len(joint)
    exps = [math.exp(score) for row in product for score in row]
    mean_exp = math.fsum(exps) / len(exps)
    rows = [
        math.exp(t) / ((math.exp(t) + sum(map(math.exp, row))) / (1 + len(row)))
        for t, row in zip(joint, product, strict=True)
    ]
    return {
        "dv": mean_joint - math.log(mean_exp),
        "nwj": mean_joint - mean_exp / math.e,
        "infonce": sum(map(math.log, rows)) / len(rows),
        "mine": mean_joint - mean_exp / math.exp(0.3),
    }[name]


def by_matrix(name: str, matrix: Tensor) -> Tensor:
    """The formulas on the whole matrix of all pairs, with the diagonal masked by -inf in means over
    product samples.
    """
    size = len(matrix)
    masked = matrix.masked_fill(torch.eye(size, dtype=torch.bool), -math.inf)
    mean_joint, log_mean_exp = (
        matrix.trace() / size,
        masked.logsumexp((0, 1)) - math.log(size * (size - 1)),
    )
    return {
        "dv": mean_joint - log_mean_exp,
        "nwj": mean_joint - (log_mean_exp - 1).exp(),
        "infonce": matrix.log_softmax(1).trace() / size + math.log(size),
        "mine": mean_joint - (log_mean_exp - 0.3).exp(),
    }[name]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("negatives", [1, 3, 5])
def test_two_implementations_of_each_bound_agree(name: str, negatives: int) -> None:
    scores = random_scores(negatives)
    assert EVERY[name](scores).item() == pytest.approx(by_loop(name, scores), rel=1e-12)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("scale", [0.1, 1.0, 300.0])
def test_a_bound_of_all_pairs_is_the_matrix_formula_with_a_masked_diagonal(
    name: str, scale: float
) -> None:
    matrix = random_matrix(scale=scale)
    torch.testing.assert_close(
        EVERY[name](from_matrix(matrix)), by_matrix(name, matrix), rtol=1e-12, atol=1e-12
    )


def test_values_computed_by_hand() -> None:
    scores = from_matrix(torch.tensor([[1.0, 0.0], [math.log(2), 3.0]], dtype=torch.float64))
    assert bounds.dv(scores).item() == pytest.approx(2 - math.log(1.5))
    assert bounds.nwj(scores).item() == pytest.approx(2 - 1.5 / math.e)
    assert bounds.infonce(scores).item() == pytest.approx(
        (1 - math.log((math.e + 1) / 2) + 3 - math.log((math.exp(3) + 2) / 2)) / 2
    )
    assert bounds.mine(scores, torch.tensor(math.log(3.0))).item() == pytest.approx(2 - 1.5 / 3)


@every_bound
def test_gradients_are_those_of_finite_differences(bound: Bound) -> None:
    joint, product = random_scores()
    inputs = joint.requires_grad_(), product.detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda joint, product: bound(Scores(joint, product)), inputs)


@every_bound
def test_the_order_of_a_batch_does_not_matter(bound: Bound) -> None:
    matrix, order = random_matrix(), torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        bound(from_matrix(matrix[order][:, order])), bound(from_matrix(matrix))
    )


@every_bound
def test_the_order_of_the_partners_does_matter(bound: Bound) -> None:
    matrix, order = random_matrix(), torch.tensor([3, 0, 5, 1, 4, 2])
    assert abs(bound(from_matrix(matrix[:, order])) - bound(from_matrix(matrix))) > 0.01


def test_infonce_is_normalised_by_row() -> None:
    matrix, offset = random_matrix(), 3 * random_matrix(seed=1)[0]
    value = bounds.infonce(from_matrix(matrix))
    torch.testing.assert_close(bounds.infonce(from_matrix(matrix + offset[:, None])), value)
    assert abs(bounds.infonce(from_matrix(matrix + offset)) - value) > 0.1


@pytest.mark.parametrize("bound", [bounds.dv, bounds.infonce])
def test_a_constant_does_not_change_normalised_bounds(bound: Bound) -> None:
    matrix = random_matrix()
    torch.testing.assert_close(bound(from_matrix(matrix + 700)), bound(from_matrix(matrix)))


def test_dv_is_the_best_of_nwj_over_constants() -> None:
    joint, product = random_scores()
    best = bounds.log_mean_exp(product) - 1
    torch.testing.assert_close(
        bounds.nwj(Scores(joint - best, product - best)), bounds.dv(Scores(joint, product))
    )
    for constant in (best - 0.5, best + 0.5):
        assert (
            bounds.nwj(Scores(joint - constant, product - constant))
            < bounds.dv(Scores(joint, product)) - 0.05
        )


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e3])
@pytest.mark.parametrize("negatives", [1, 7])
def test_infonce_comes_close_to_its_cap_and_never_exceeds_it(negatives: int, scale: float) -> None:
    joint, product = from_matrix(random_matrix(size=8, scale=scale))
    for lead in (0, 1, 5, 1000):
        value, cap = (
            bounds.infonce(Scores(joint + lead * scale, product[:, :negatives])),
            math.log(negatives + 1),
        )
        assert value <= cap + 1e-12
    assert value == pytest.approx(cap, rel=1e-12)


def test_log_mean_exp_survives_a_score_that_exp_does_not() -> None:
    scores = torch.tensor([100.0, 0.0, 0.0, 0.0])
    assert math.exp(100) > torch.finfo(torch.float32).max
    assert bounds.log_mean_exp(scores).item() == pytest.approx(98.6137, abs=1e-4)
    assert bounds.dv(Scores(torch.zeros(2), scores.view(2, 2))).item() == pytest.approx(
        -98.6137, abs=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("bound", "joint", "product", "expected"),
    [
        (bounds.dv, 1000, -1000, 2000),
        (bounds.dv, -1000, 1000, -2000),
        (bounds.dv, 1000, 1000, 0),
        (bounds.nwj, 1000, -1000, 1000),
        (bounds.nwj, -1000, -1000, -1000),
        (bounds.infonce, 1000, -1000, math.log(4)),
        (bounds.infonce, -1000, 1000, math.log(4 / 3) - 2000),
        (bounds.infonce, -1000, -1000, 0),
        (lambda scores: bounds.mine(scores, torch.tensor(1000.0)), 1000, 1000, 999),
        (lambda scores: bounds.mine(scores, torch.tensor(1000.0)), 1000, -1000, 1000),
    ],
)
def test_scores_of_a_thousand_do_not_overflow(
    bound: Bound, joint: float, product: float, expected: float, dtype: torch.dtype
) -> None:
    scores = Scores(
        torch.full((5,), joint, dtype=dtype),
        torch.full((5, 3), product, dtype=dtype).requires_grad_(),
    )
    value = bound(scores)
    assert value.item() == pytest.approx(
        expected, rel=1e-6, abs=1e-3 if dtype is torch.float32 else 1e-9
    )
    (gradient,) = torch.autograd.grad(value, scores.product)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("estimator", "bound"),
    [(DV(), bounds.dv), (NWJ(), bounds.nwj), (InfoNCE(), bounds.infonce)],
    ids=["dv", "nwj", "infonce"],
)
def test_an_estimator_without_a_surrogate_climbs_the_bound_that_it_reports(
    estimator: Estimator, bound: Bound
) -> None:
    scores, rows = random_scores(), torch.zeros(6, 1)
    fit, objective, value = estimator.bound(scores, rows, rows)
    assert value == bound(scores)
    assert objective == value
    assert fit == -value


def test_the_average_of_mine_has_no_gradient() -> None:
    log_average = torch.zeros((), dtype=torch.float64, requires_grad=True)
    joint, product = random_scores()
    value = bounds.mine(Scores(joint.requires_grad_(), product), log_average)
    assert torch.autograd.grad(value, log_average, allow_unused=True) == (None,)
