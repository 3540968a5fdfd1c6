"""Estimators with a conditional density, tested with the true conditional of a correlated
Gaussian.
"""

import math

import pytest
import torch
from torch import Tensor, nn

from infobound.estimators import bounds
from infobound.estimators.barber_agakov import BarberAgakov
from infobound.estimators.base import Estimator
from infobound.estimators.club import CLUB
from infobound.estimators.difference_of_entropies import DifferenceOfEntropies
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.leave_one_out import LeaveOneOut
from infobound.estimators.measurement import Measurement
from infobound.estimators.variational_upper import VariationalUpper
from infobound.models.critics.conditional_gaussian import ConditionalGaussian
from infobound.models.critics.dense import Bilinear
from infobound.models.critics.pairs import score_pairs
from infobound.models.critics.scores import Scores, from_matrix

RHO, ROWS = 0.8, 20_000
TRUTH = -math.log(1 - RHO**2) / 2
MEMBERS = [
    CLUB(),
    LeaveOneOut(),
    BarberAgakov(),
    VariationalUpper(),
    DifferenceOfEntropies(components=2),
]


class TrueConditional(nn.Module):
    """log p(y_j | x_i) = log N(y_j; rho x_i, 1 - rho^2) with K partners a row."""

    scores = "log density"

    def __init__(self, negatives: int | None) -> None:
        super().__init__()
        self.negatives = negatives

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        return score_pairs(x, y, self._log_density, self.negatives, 1, 2**20)

    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        residual = y[..., 0] - RHO * x
        return -(residual.square() / (1 - RHO**2) + math.log(2 * math.pi * (1 - RHO**2))) / 2


def pairs(rows: int = ROWS) -> tuple[Tensor, Tensor]:
    x, noise = torch.randn(2, rows, 1, generator=torch.Generator().manual_seed(0))
    return x, RHO * x + math.sqrt(1 - RHO**2) * noise


def measured(estimator: Estimator, negatives: int = 8) -> float:
    measurement = Measurement(TrueConditional(negatives), estimator).eval()
    measurement.prepare(*pairs())
    return float(measurement(*pairs()).value)


@pytest.mark.parametrize("negatives", [1, 8])
def test_club_with_the_true_conditional_is_its_closed_form_above_the_truth(negatives: int) -> None:
    closed = RHO**2 / (1 - RHO**2)
    assert closed > TRUTH
    assert measured(CLUB(), negatives) == pytest.approx(closed, abs=0.12)


def test_leave_one_out_with_the_true_conditional_falls_to_the_truth_from_above() -> None:
    values = [measured(LeaveOneOut(), negatives) for negatives in (2, 8, 64)]
    assert values[0] > values[1] > values[2] > TRUTH
    assert values[2] == pytest.approx(TRUTH, abs=0.05)


def test_barber_agakov_with_the_true_conditional_of_a_normal_reads_the_truth() -> None:
    assert measured(BarberAgakov()) == pytest.approx(TRUTH, abs=0.03)


def test_the_entropy_of_barber_agakov_is_the_normals() -> None:
    y = torch.randn(5000, 3, generator=torch.Generator().manual_seed(1)) @ torch.tensor(
        [[2.0, 1, 0], [0, 1, 0], [0, 3, 0.1]]
    )
    estimator = BarberAgakov()
    estimator.prepare(y, y)
    expected = torch.distributions.MultivariateNormal(y.mean(0), torch.cov(y.mT)).entropy()
    torch.testing.assert_close(estimator.entropy, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "y", [torch.ones(9, 1), torch.arange(4.0)[:, None].repeat(1, 2), torch.randn(3, 3)]
)
def test_barber_agakov_refuses_a_marginal_without_a_density(y: Tensor) -> None:
    with pytest.raises(ValueError, match=r"^y must have a density"):
        BarberAgakov().prepare(y, y)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_variational_bound_is_above_the_truth_by_the_divergence_of_the_marginals(
    scale: float,
) -> None:
    x, y = pairs()
    joint = TrueConditional(1)(x, y).joint - math.log(scale)
    value = VariationalUpper().bound(Scores(joint, joint[:, None]), x, scale * y).value
    assert float(value) == pytest.approx(TRUTH + (scale**2 - 1) / 2 - math.log(scale), abs=0.06)


@pytest.mark.parametrize("components", [1, 4])
def test_the_difference_of_entropies_of_a_normal_reads_the_truth(components: int) -> None:
    torch.manual_seed(0)
    measurement = Measurement(TrueConditional(1), DifferenceOfEntropies(components=components))
    x, y = pairs(4000)
    measurement.prepare(x, y)
    optimizer = torch.optim.Adam(measurement.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        measurement(x, y).fit.backward()
        optimizer.step()
    assert float(measurement(x, y).value) == pytest.approx(TRUTH, abs=0.04)


@pytest.mark.parametrize("negatives", [3, 5])
def test_leave_one_out_compares_one_y_with_other_x(negatives: int) -> None:
    """Column j of the matrix of log q(y_j | x_i) has the scores of y_j."""
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(2))
    scores = from_matrix(matrix)
    arranged = LeaveOneOut().arranged(Scores(scores.joint, scores.product[:, :negatives]))
    for j in range(6):
        others = [matrix[(j - shift) % 6, j] for shift in range(negatives, 0, -1)]
        torch.testing.assert_close(arranged.product[j], torch.stack(others))
    torch.testing.assert_close(arranged.joint, matrix.diagonal())


def test_leave_one_out_ignores_what_the_critic_adds_to_a_column() -> None:
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(2))
    column = 10 * torch.randn(6, generator=torch.Generator().manual_seed(3))
    read = [
        bounds.leave_one_out(LeaveOneOut().arranged(from_matrix(each)))
        for each in (matrix, matrix + column)
    ]
    torch.testing.assert_close(*read)


@pytest.mark.parametrize("estimator", MEMBERS, ids=lambda each: type(each).__name__)
def test_fit_is_a_likelihood_and_the_value_is_not_trained(estimator: Estimator) -> None:
    x, y = pairs(64)
    Measurement(TrueConditional(None), estimator).prepare(x, y)
    scores = TrueConditional(None)(x, y)
    likelihood = scores.joint.mean()
    if isinstance(estimator, DifferenceOfEntropies):
        likelihood = likelihood + estimator.marginal(y).mean()
    bound = estimator.bound(scores, x, y)
    torch.testing.assert_close(bound.fit, -likelihood)
    torch.testing.assert_close(bound.objective.detach(), bound.value)


@pytest.mark.parametrize("estimator", MEMBERS, ids=lambda each: type(each).__name__)
def test_a_critic_without_densities_is_refused_with_the_way_out(estimator: Estimator) -> None:
    with pytest.raises(
        ValueError, match=r"^critic must give log q.*Bilinear.*use critic=conditional_gaussian"
    ):
        Measurement(Bilinear(2, 2), estimator)


def test_a_critic_with_densities_serves_every_estimator() -> None:
    critic = ConditionalGaussian(
        2, 2, hidden=[4], activation="ReLU", covariance="full", negatives=None
    )
    Measurement(critic, InfoNCE())


@pytest.mark.parametrize("estimator", [CLUB(), LeaveOneOut()], ids=lambda each: type(each).__name__)
def test_a_trained_upper_bound_is_above_the_truth(estimator: Estimator) -> None:
    torch.manual_seed(0)
    critic = ConditionalGaussian(
        1, 1, hidden=[16], activation="Tanh", covariance="diagonal", negatives=16
    )
    measurement = Measurement(critic, estimator)
    x, y = pairs(2000)
    optimizer = torch.optim.Adam(measurement.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        measurement(x, y).fit.backward()
        optimizer.step()
    assert TRUTH < float(measurement(*pairs(8000)).value) < 5


def test_components_must_be_positive_and_no_more_than_rows() -> None:
    with pytest.raises(ValueError, match=r"^components must"):
        DifferenceOfEntropies(components=0)
    with pytest.raises(ValueError, match=r"^components must"):
        DifferenceOfEntropies(components=5).prepare(*pairs(4))
