"""Penalties on a classifier's dependence on pivots: their values at known log-ratios, the networks
that move, and refused settings.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infobound.estimators.club import CLUB
from infobound.estimators.dv import DV
from infobound.estimators.js import JS
from infobound.estimators.jsd import JSD
from infobound.estimators.n_pair import NPair
from infobound.estimators.nwj import NWJ
from infobound.models.adversaries.pivot_densities import Binned, Mixture
from infobound.models.critics.dense import Concat, Separable
from infobound.models.critics.scores import Scores, from_matrix
from infobound.regularizers.adversary import Adversary
from infobound.regularizers.base import Penalty, PurePenalty
from infobound.regularizers.combined import Combined
from infobound.regularizers.distance_correlation import DistanceCorrelation, squared_correlation
from infobound.regularizers.heuristic import Heuristic
from infobound.regularizers.jsd_gradient import JSDGradient
from infobound.regularizers.kl_update import KLUpdate
from infobound.regularizers.minmax import Minmax
from infobound.regularizers.mmd import MMD, discrepancy
from tests.settings import waiting

RHO = 0.8
TRUTH = -math.log1p(-(RHO**2)) / 2
ADAM = partial(torch.optim.Adam, lr=1e-2)
PLAYED: dict[str, Any] = {"optimizer": ADAM, "lam": 1.0, "warmup": 0, "critic_steps": 1}
BY_CRITIC: dict[str, Any] = {
    **PLAYED,
    "estimator": JS(),
    "critic": partial(Separable, hidden=[16], embed=8, activation="ELU"),
}
NETWORK: dict[str, Any] = {"hidden": [16], "activation": "ELU", "layer_norm": False}
LEARNING: dict[str, Callable[..., Penalty]] = {
    "minmax": waiting(Minmax, **BY_CRITIC),
    "heuristic": waiting(Heuristic, **BY_CRITIC),
    "combined": waiting(Combined, **BY_CRITIC),
    "kl_update": waiting(KLUpdate, **BY_CRITIC),
    "jsd_gradient": waiting(JSDGradient, gamma=0.1, **BY_CRITIC),
    "binned": waiting(Adversary, density=partial(Binned, bins=6, **NETWORK), **PLAYED),
    "mixture": waiting(Adversary, density=partial(Mixture, components=3, **NETWORK), **PLAYED),
}
PURE: dict[str, Callable[..., PurePenalty]] = {
    "mmd": partial(MMD, sigmas=[0.5, 1.0, 2.0], lam=1.0, warmup=0),
    "distance_correlation": partial(DistanceCorrelation, lam=1.0, warmup=0),
}
PENALTIES: dict[str, Callable[..., Penalty | PurePenalty]] = {**LEARNING, **PURE}
CRITICS = ["minmax", "heuristic", "combined", "kl_update", "jsd_gradient"]


def pairs(size: int, rho: float = RHO, seed: int = 0) -> dict[str, Tensor]:
    """Logits and pivots that are standard normal with correlation rho."""
    x, noise = torch.randn(2, size, 1, generator=torch.Generator().manual_seed(seed))
    y = rho * x + (1 - rho**2) ** 0.5 * noise
    return {"logits": x, "pivot": y, "raw_pivot": 3 * y + 5}


class LogRatio(nn.Module):
    """A critic with the log-ratio of these pairs, plus a constant."""

    def __init__(self, dim_x: int, dim_y: int, constant: float = 0.0) -> None:
        super().__init__()
        self.constant = constant

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        across = (RHO * x @ y.mT - RHO**2 * (x.square() + y.square().mT) / 2) / (1 - RHO**2)
        return from_matrix(across - math.log1p(-(RHO**2)) / 2 + self.constant)


class Flat(LogRatio):
    """A critic that is 0 for every pair, the log-ratio of independent pairs."""

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        return from_matrix(0 * x @ y.mT)


def value(penalty: Penalty | PurePenalty, rows: dict[str, Tensor]) -> float:
    return penalty.terms(rows).penalty.item()


@pytest.mark.parametrize(
    ("estimator", "constant"), [(JS(), 0.0), (JSD(), 0.0), (DV(), 3.0), (NWJ(), 1.0)]
)
def test_kl_update_of_a_log_ratio_is_the_mutual_information(
    estimator: Any, constant: float
) -> None:
    """Within four standard errors of 2,000 pairs; free constants, such as that of DV, are
    subtracted.
    """
    rows = pairs(2000)
    penalty = PENALTIES["kl_update"](
        rows, estimator=estimator, critic=partial(LogRatio, constant=constant)
    )
    scores = LogRatio(1, 1)(rows["logits"], rows["pivot"])
    error = 4 * scores.joint.std().item() / 2000**0.5 + (
        0.05 if constant == 3 else 0
    )  # DV's constant is estimated
    assert value(penalty, rows) == pytest.approx(TRUTH, abs=error)
    if constant != 3:
        assert value(penalty, rows) == pytest.approx(scores.joint.mean().item(), abs=1e-5)


def test_the_others_of_a_log_ratio_are_their_closed_forms() -> None:
    rows = pairs(300)
    scores = LogRatio(1, 1)(rows["logits"], rows["pivot"])
    jsd = (
        math.log(4)
        - nn.functional.softplus(-scores.joint).mean()
        - nn.functional.softplus(scores.product).mean()
    )
    heuristic = nn.functional.softplus(-scores.product).mean()
    wanted = {
        "minmax": jsd,
        "heuristic": heuristic,
        "combined": jsd + heuristic,
        "jsd_gradient": jsd,
    }
    for name, expected in wanted.items():
        assert value(
            PENALTIES[name](rows, estimator=JSD(), critic=LogRatio), rows
        ) == pytest.approx(float(expected), rel=1e-5)
    assert value(
        PENALTIES["combined"](rows, estimator=JSD(), critic=LogRatio), rows
    ) == pytest.approx(
        float(math.log(4) - nn.functional.softplus(-scores.joint).mean() - scores.product.mean()),
        rel=1e-4,
    )


def test_penalties_are_minimal_for_independent_pairs() -> None:
    rows = pairs(100, rho=0.0)
    wanted = {
        "minmax": 0.0,
        "heuristic": math.log(2),
        "combined": math.log(2),
        "kl_update": 0.0,
        "jsd_gradient": 0.0,
    }
    for name, expected in wanted.items():
        assert value(PENALTIES[name](rows, critic=Flat), rows) == pytest.approx(expected, abs=1e-6)


def test_a_bound_below_zero_is_not_minimised() -> None:
    """With a critic that prefers wrong pairs the estimate is negative, and neither penalty rewards
    lowering it.
    """
    rows = pairs(100, rho=-RHO)
    for name in ("minmax", "jsd_gradient"):
        terms = PENALTIES[name](rows, critic=LogRatio).terms(rows)
        assert terms.value < 0
        assert terms.penalty == 0


@pytest.mark.parametrize("name", PENALTIES)
def test_more_dependence_is_a_greater_penalty_and_the_networks_learn_it(name: str) -> None:
    """After 80 steps on batches of 128 fresh pairs, the penalty of dependent pairs is above that of
    independent pairs.
    """
    held = [pairs(256, rho, seed=10**6) for rho in (0.0, 0.9)]
    read: list[float] = []
    for rho, rows in zip((0.0, 0.9), held, strict=True):
        torch.manual_seed(0)
        penalty = PENALTIES[name](pairs(512, rho))
        if isinstance(penalty, Penalty):
            optimizer = penalty.optimizer([*penalty.parameters()])
            for step in range(80):
                optimizer.zero_grad()
                penalty.fit(pairs(128, rho, seed=step + 1)).backward()
                optimizer.step()
        read.append(value(penalty, rows))
    assert read[1] > read[0] + 0.1 or name == "heuristic"
    if name == "heuristic":
        assert read[0] == pytest.approx(math.log(2), abs=0.1)
        assert read[1] > read[0] + 0.02


@pytest.mark.parametrize("name", CRITICS)
def test_only_the_critic_minimises_its_fit(name: str) -> None:
    """A critic that minimises its fit reads more, whatever the classifier minimises."""
    rows = pairs(256)
    torch.manual_seed(0)
    penalty = LEARNING[name](rows)
    optimizer = penalty.optimizer([*penalty.parameters()])
    before = float(penalty.terms(rows).value)
    for _ in range(50):
        optimizer.zero_grad()
        penalty.fit(rows).backward()
        optimizer.step()
    assert float(penalty.terms(rows).value) > before + 0.1


@pytest.mark.parametrize(
    "critic",
    [BY_CRITIC["critic"], partial(Concat, hidden=[8], activation="ELU", negatives=1)],
    ids=["separable", "concat"],
)
def test_omega_is_the_squared_gradient_of_each_pair(critic: Any) -> None:
    """The reference uses autograd, one pair at a time."""
    rows = pairs(12)
    torch.manual_seed(0)
    penalty = PENALTIES["jsd_gradient"](rows, critic=critic)
    assert isinstance(penalty, JSDGradient)
    network = penalty.measurement.critic
    wanted = 0.0
    for shift in (0, 1):
        for x, y in zip(rows["logits"], rows["pivot"].roll(-shift, 0), strict=True):
            pair = [each.clone().requires_grad_() for each in (x, y)]
            score = network(*(each.expand(2, -1) for each in pair)).joint[0]
            squared = sum(float(each.square().sum()) for each in torch.autograd.grad(score, pair))
            share = torch.sigmoid(-score if shift == 0 else score).item() ** 2
            wanted += share * squared / 12
    assert penalty.omega(rows["logits"], rows["pivot"]).item() == pytest.approx(wanted, rel=1e-4)
    loose = LEARNING["jsd_gradient"](rows, critic=critic, gamma=0.0)
    loose.load_state_dict(penalty.state_dict())
    difference = penalty.terms(rows).fit - loose.terms(rows).fit
    assert difference.item() == pytest.approx(0.05 * wanted, rel=1e-2)


def test_an_adversary_that_knows_nothing_has_the_entropy_of_the_pivot() -> None:
    """Eight bins of equal population give log 8; a mixture fitted to the pivot gives its
    differential entropy, in the pivot's unit.
    """
    rows = pairs(4096)
    binned = Binned(1, rows["raw_pivot"], bins=8, **NETWORK)
    shares = torch.bincount((rows["raw_pivot"] > binned.edges[0]).sum(-1)) / 4096
    assert shares.tolist() == pytest.approx([1 / 8] * 8, abs=1e-3)
    mixture = Mixture(1, rows["raw_pivot"], components=1, **NETWORK)
    for density in (binned, mixture):
        for parameter in density.parameters():
            nn.init.zeros_(parameter)
    expected = math.log(2 * math.pi * math.e) / 2 + math.log(rows["raw_pivot"].std().item())
    assert -binned(rows["logits"], rows["raw_pivot"]).mean().item() == pytest.approx(
        math.log(8), rel=1e-6
    )
    assert -mixture(rows["logits"], rows["raw_pivot"]).mean().item() == pytest.approx(
        expected, abs=1e-3
    )


def test_a_mixture_is_a_density() -> None:
    rows = pairs(64)
    torch.manual_seed(0)
    mixture = Mixture(1, rows["raw_pivot"], components=4, **NETWORK)
    grid = torch.linspace(-60, 70, 20_001)[:, None]
    density = mixture(rows["logits"][:1].expand(len(grid), 1), grid).exp()
    assert torch.trapezoid(density, grid[:, 0]).item() == pytest.approx(1, abs=1e-4)


def test_each_category_is_a_bin() -> None:
    groups = torch.tensor([0.0, 1.0, 3.0]).repeat(20)[:, None]
    binned = Binned(1, groups, bins=8, **NETWORK)
    assert (groups > binned.edges[0]).sum(-1).tolist() == [0, 1, 2] * 20
    both = Binned(1, torch.cat([groups, torch.randn(60, 1)], dim=1), bins=8, **NETWORK)
    assert both(torch.zeros(60, 1), torch.cat([groups, groups], dim=1)).shape == (60,)


def test_the_discrepancy_is_that_of_joint_samples_from_all_pairs() -> None:
    """MMD^2 = mean k(z, z') - 2 mean k(z, w) + mean k(w, w'), where z are joint samples, w all
    pairs, and k is normal on the plane.
    """
    rows = pairs(20)
    x, y = rows["logits"], rows["pivot"]
    joint = torch.cat([x, y], dim=1)
    every = torch.cat([x.repeat_interleave(20, 0), y.repeat(20, 1)], dim=1)

    def kernel(one: Tensor, other: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(one, other).square() / (2 * 0.7**2)).mean()

    expected = kernel(joint, joint) - 2 * kernel(joint, every) + kernel(every, every)
    assert discrepancy(x, y, [0.7]).item() == pytest.approx(expected.item(), abs=1e-6)
    several = discrepancy(x, y, [0.7]) + discrepancy(x, y, [2.0])
    torch.testing.assert_close(discrepancy(x, y, [0.7, 2.0]), several)


def test_distance_correlation_is_one_of_lines_and_does_not_depend_on_scale() -> None:
    rows = pairs(200)
    x, y = rows["logits"], rows["pivot"]
    assert squared_correlation(x, 3 - 2 * x).item() == pytest.approx(1, abs=1e-4)
    assert squared_correlation(x, y).item() == pytest.approx(
        squared_correlation(0.1 * x, 9 * y + 4).item(), rel=1e-3
    )
    assert squared_correlation(x, torch.zeros_like(y)).item() == pytest.approx(0, abs=1e-4)
    around = torch.stack([torch.cos(6 * x[:, 0]), torch.sin(6 * x[:, 0])], dim=1)
    assert squared_correlation(around[:, :1], around[:, 1:]).item() > 0.01


@pytest.mark.parametrize("name", ["mmd", "distance_correlation"])
def test_logits_that_never_vary_have_no_penalty_and_a_finite_gradient(name: str) -> None:
    rows = {**pairs(32), "logits": torch.zeros(32, 1).requires_grad_()}
    penalty = PENALTIES[name](rows).terms(rows).penalty
    assert penalty.item() == pytest.approx(0, abs=1e-3)
    assert torch.autograd.grad(penalty, rows["logits"])[0].isfinite().all()


@pytest.mark.parametrize("name", PENALTIES)
def test_a_strength_that_is_not_finite_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^lam must be 0 or more and finite, got inf"):
        PENALTIES[name](pairs(64), lam=math.inf)


def test_a_model_without_pivots_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        ValueError,
        match=(
            r"^this penalty needs logits, .*pivot, but the model exposes only input; use"
            r" regularizer=none"
        ),
    ):
        PENALTIES["mmd"]({"input": torch.zeros(8, 2)})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "minmax",
            {"estimator": NPair()},
            "estimator must give nats, got NPair, a loss; use estimator=js",
        ),
        (
            "minmax",
            {"critic": None},
            "estimator must be one that trains a critic, got JS without one",
        ),
        ("kl_update", {"estimator": CLUB()}, "critic must give log q"),
        ("jsd_gradient", {"gamma": -0.1}, "gamma must be 0 or more, got -0.1"),
        ("mmd", {"sigmas": []}, "sigmas must list positive deviations"),
        ("mmd", {"sigmas": [1.0, 0.0]}, "sigmas must list positive deviations"),
        (
            "binned",
            {"density": partial(Binned, bins=1, **NETWORK)},
            "bins must be 2 or more, got 1",
        ),
        (
            "mixture",
            {"density": partial(Mixture, components=0, **NETWORK)},
            "components must be a positive integer, got 0",
        ),
    ],
)
def test_wrong_parts_of_a_penalty_are_refused(
    name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        PENALTIES[name](pairs(64), **changes)


def test_an_estimator_without_log_ratios_is_refused_if_they_are_needed() -> None:
    from infobound.models.critics.conditional_gaussian import ConditionalGaussian

    settings: dict[str, Any] = {
        "hidden": [8],
        "activation": "ReLU",
        "covariance": "diagonal",
        "negatives": None,
    }
    conditional: dict[str, Any] = {
        "estimator": CLUB(),
        "critic": partial(ConditionalGaussian, **settings),
    }
    PENALTIES["minmax"](pairs(64), **conditional)
    for name in ("heuristic", "combined", "kl_update", "jsd_gradient"):
        with pytest.raises(
            ValueError,
            match=(
                r"^estimator must be one whose best critic is a log-ratio, got CLUB; use"
                r" estimator=js"
            ),
        ):
            PENALTIES[name](pairs(64), **conditional)


def test_a_mixture_of_categories_is_refused() -> None:
    rows = {**pairs(60), "raw_pivot": torch.tensor([0.0, 1.0]).repeat(30)[:, None]}
    with pytest.raises(
        ValueError,
        match=(
            r"^density must be binned for pivots of few values, got 2 of them; use"
            r" regularizer/density"
        ),
    ):
        PENALTIES["mixture"](rows)
