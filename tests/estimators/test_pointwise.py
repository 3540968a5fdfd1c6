"""The log-ratio that an estimator implies is right at its best critic, and its mean is the estimate
if the estimate is a mean.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from infobound.estimators.barber_agakov import BarberAgakov
from infobound.estimators.base import Estimator
from infobound.estimators.club import CLUB
from infobound.estimators.dv import DV
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.js import JS
from infobound.estimators.jsd import JSD
from infobound.estimators.leave_one_out import LeaveOneOut
from infobound.estimators.mine import MINE
from infobound.estimators.nwj import NWJ
from infobound.estimators.remine import ReMINE
from infobound.estimators.smile import SMILE
from infobound.estimators.variational_upper import VariationalUpper
from infobound.models.critics.scores import Scores, from_matrix

RHO, ROWS = 0.6, 1500


def pairs() -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, ROWS, 1, generator=source, dtype=torch.float64)
    return x, RHO * x + math.sqrt(1 - RHO**2) * noise


X, Y = pairs()
LOG_CONDITIONAL = (
    -((Y.T - RHO * X) ** 2) / (2 * (1 - RHO**2)) - math.log(2 * math.pi * (1 - RHO**2)) / 2
)
LOG_RATIO = LOG_CONDITIONAL + Y.T**2 / 2 + math.log(2 * math.pi) / 2
"""log p(x_i, y_j) / p(x_i) p(y_j)."""
BEST: dict[str, tuple[Estimator, Tensor]] = {
    "dv": (DV(), LOG_RATIO + 3),
    "mine": (MINE(alpha=0.1), LOG_RATIO - 2),
    "remine": (ReMINE(lam=1.0, target=0.0), LOG_RATIO),
    "smile": (SMILE(tau=20.0), LOG_RATIO),
    "nwj": (NWJ(), LOG_RATIO + 1),
    "js": (JS(), LOG_RATIO),
    "jsd": (JSD(), LOG_RATIO),
    "infonce": (InfoNCE(), LOG_RATIO + X),
    "leave_one_out": (LeaveOneOut(), LOG_CONDITIONAL),
    "variational_upper": (VariationalUpper(), LOG_CONDITIONAL),
}
"""Every estimator with a critic that is best for it, including free constants."""


def implied(name: str) -> tuple[Tensor, Scores, Estimator]:
    estimator, matrix = BEST[name]
    scores = estimator.arranged(from_matrix(matrix))
    normaliser = estimator.log_normaliser(scores, X, Y)
    assert normaliser is not None
    return scores.joint - normaliser, scores, estimator


@pytest.mark.parametrize("name", BEST)
def test_at_the_best_critic_it_is_the_log_ratio(name: str) -> None:
    pmi, _, _ = implied(name)
    assert (pmi - LOG_RATIO.diagonal()).abs().median().item() < 0.06, (
        "the error of a mean over 1500 rows"
    )


@pytest.mark.parametrize(
    "name", ["dv", "mine", "remine", "smile", "infonce", "leave_one_out", "variational_upper"]
)
def test_its_mean_is_the_estimate_if_the_estimate_is_a_mean(name: str) -> None:
    pmi, scores, estimator = implied(name)
    assert pmi.mean().item() == pytest.approx(estimator.bound(scores, X, Y).value.item(), abs=1e-9)


@pytest.mark.parametrize(("name", "excess"), [("nwj", lambda t: t - 1), ("js", lambda t: t)])
def test_its_mean_differs_by_the_error_of_the_normalisation(
    name: str, excess: Callable[[Tensor], Tensor]
) -> None:
    pmi, scores, estimator = implied(name)
    value = estimator.bound(scores, X, Y).value.item()
    assert value == pytest.approx(
        pmi.mean().item() + 1 - excess(scores.product).exp().mean().item(), abs=1e-9
    )


@pytest.mark.parametrize("estimator", [CLUB(), BarberAgakov()])
def test_a_likelihood_without_a_marginal_implies_none(estimator: Estimator) -> None:
    assert estimator.log_normaliser(from_matrix(LOG_CONDITIONAL), X, Y) is None
