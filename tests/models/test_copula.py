"""A Gaussian-copula critic starts as the log-ratio of normal pairs, in any coordinates."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.estimators import bounds
from infobound.models.critics.canonical import canonical
from infobound.models.critics.copula import FLOOR, GaussianCopula, log_ratios
from infobound.models.critics.scores import Scores

RHO = torch.tensor([0.8, 0.5, 0.1])
build = partial(
    GaussianCopula,
    hidden=[8],
    embed=4,
    warp=[8],
    waves=2,
    activation="SiLU",
    clip=6.0,
    begin=0.1,
    held_back=0.1,
)


def normal(rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Canonical pairs with the correlations RHO."""
    source = torch.Generator().manual_seed(seed)
    u, noise = torch.randn(2, rows, 3, generator=source)
    return u, RHO * u + (1 - RHO.square()).sqrt() * noise


def mixed(rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The pairs after linear maps, with one more column of y that repeats another."""
    (u, v), source = normal(rows, seed), torch.Generator().manual_seed(9)
    a, b = torch.randn(2, 3, 3, generator=source)
    return u @ a + 1, torch.cat([v @ b - 2, (v @ b)[:, :1]], dim=1)


def prepared(x: Tensor, y: Tensor, seed: int = 0, **changes: Any) -> GaussianCopula:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = build(x.shape[1], y.shape[1], **changes)
    critic.prepare(x, y)
    return critic


def exact(u: Tensor, v: Tensor) -> Tensor:
    """log p(u, v) / p(u) p(v) of pairs (..., 3), from the densities."""
    terms = [
        torch.distributions.MultivariateNormal(
            torch.zeros(2), torch.tensor([[1.0, r], [r, 1.0]])
        ).log_prob(torch.stack([u[..., p], v[..., p]], dim=-1))
        - torch.distributions.Normal(0, 1).log_prob(torch.stack([u[..., p], v[..., p]])).sum(0)
        for p, r in enumerate(RHO.tolist())
    ]
    return torch.stack(terms).sum(0)


def test_the_base_is_the_log_ratio_of_normal_pairs() -> None:
    u, v = normal(7)
    every = exact(u[:, None].expand(7, 7, 3), v.expand(7, 7, 3))
    torch.testing.assert_close(log_ratios(u, v, RHO), every, rtol=1e-4, atol=1e-4)


def test_canonical_coordinates_are_uncorrelated_but_in_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infobound.models.critics.canonical.NOISE", 0.0)
    x, y = (rows.double() for rows in mixed(500))
    x, y = x - x.mean(0), y - y.mean(0)
    to_x, to_y, rho = canonical(x, y)
    u, v = x @ to_x, y @ to_y
    torch.testing.assert_close(u.T @ u / 500, torch.eye(3).double())
    assert sorted(v.square().mean(0).round().tolist()) == [0, 1, 1, 1], (
        "a repeated column says nothing"
    )
    torch.testing.assert_close(u.T @ v / 500, torch.nn.functional.pad(rho.diag(), (0, 1)))


def test_a_prepared_critic_reads_normal_pairs_before_any_step() -> None:
    """For 20,000 rows, the standard error is 0.01 nats."""
    critic = prepared(*mixed(20_000), begin=1e-6).eval()
    truth = -float((1 - RHO.square()).log().sum()) / 2
    with torch.no_grad():
        blocks = zip(*(rows.split(2000) for rows in mixed(20_000, seed=1)), strict=True)
        value = torch.stack([bounds.dv(critic(*block)) for block in blocks]).mean()
    assert float(value) == pytest.approx(truth, abs=0.03)


def test_a_critic_prepared_on_independent_rows_scores_nearly_zero() -> None:
    x, y = torch.randn(2, 2000, 20, generator=torch.Generator().manual_seed(0))
    critic = prepared(x, y, begin=1e-6).eval()
    assert float(critic.rho.square().sum()) < 0.02, "unshrunk it is 0.2"
    fresh = torch.randn(2, 2000, 20, generator=torch.Generator().manual_seed(1))
    assert abs(float(bounds.dv(critic(*fresh)).detach())) < 0.01


def test_directions_that_few_rows_determine_poorly_are_not_scaled_up() -> None:
    """A column with a tenth of the others' size is scaled to their size only if there are many
    rows.
    """
    x, y = normal(20_000)
    x = x * torch.tensor([1, 1, 0.1])
    few, many = (
        float((x @ prepared(x[:rows], y[:rows]).x.axes).std(0).min()) for rows in (100, 20_000)
    )
    assert few < 0.5
    assert many > 0.9


def test_canonical_pairs_without_information_are_dropped() -> None:
    x, y = MultivariateGaussians.sparse(25, 25, pairs=2, rho=0.8).sample(
        3000, torch.Generator().manual_seed(0)
    )
    rho = prepared(x, y).rho
    assert float(rho[:2].min()) > 0.7
    assert float(rho[2:].square().sum()) < 0.1


def test_every_score_is_that_of_its_pair_alone() -> None:
    x, y = mixed(20)
    critic = prepared(x, y)
    scores = critic.scores(x, y)
    for k in (0, 7, 18):
        again = critic.scores(x, y.roll(-k - 1, 0)).joint
        torch.testing.assert_close(scores.product[:, k], again, rtol=1e-4, atol=1e-4)


def test_a_pair_far_from_the_training_rows_does_not_decide_the_bound() -> None:
    x, y = mixed(500)
    critic = prepared(x, y, clip=100.0).eval()
    usual = float(bounds.dv(critic(x, y)).detach())
    best = critic.scores(x, y).joint.argmax()
    x[0], y[0], y[1] = 40 * x[best], -40 * y[best], 40 * y[best]
    assert critic.scores(x, y).joint.min() < 2 * FLOOR, "unlimited it would"
    scores = critic(x, y)
    assert FLOOR <= scores.joint.min() <= scores.product.max() <= critic.ceiling
    assert float(bounds.dv(scores).detach()) == pytest.approx(usual, abs=0.1)


def test_the_ceiling_follows_the_largest_joint_scores_in_training_alone() -> None:
    x, y = mixed(100)
    critic = prepared(x, y)
    with torch.no_grad():
        for parameter in critic.g.parameters():
            parameter.mul_(5)
    before, largest = critic.ceiling.clone(), critic.scores(x, y).joint.max().detach()
    critic.eval()(x, y)
    assert critic.ceiling == before
    critic.train()(x, y)
    assert min(before, largest) < critic.ceiling < max(before, largest)


@pytest.mark.parametrize(("dim", "features"), [(1, 4), (2, 7), (3, 4)])
def test_sides_of_one_or_two_dimensions_have_waves(dim: int, features: int) -> None:
    rows = torch.randn(5, dim, generator=torch.Generator().manual_seed(0))
    coordinates, every = build(dim, dim).x(rows)
    assert every.shape == (5, features)
    torch.testing.assert_close(every[:, :dim], coordinates)
    if features > dim + 1:
        probability = torch.distributions.Normal(0, 1).cdf(rows[:, 0])
        torch.testing.assert_close(
            every[:, dim + 2], torch.cos(2 * math.pi * probability) / math.sqrt(2)
        )


def test_a_side_that_determines_the_other_is_read_finitely() -> None:
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    scores = prepared(x, x).eval()(x, x)
    assert scores.joint.isfinite().all()
    assert float(bounds.dv(scores).detach()) > 2


def test_a_constant_column_changes_nothing() -> None:
    x, y = mixed(300)
    with_constant = torch.cat([x, torch.full((300, 1), 3.0)], dim=1)
    assert prepared(with_constant, y).eval()(with_constant, y).joint.isfinite().all()
    torch.testing.assert_close(prepared(with_constant, y).rho[:3], prepared(x, y).rho)


def test_lifted_copies_score_and_learn_like_single_ones() -> None:
    tables = [mixed(200, seed) for seed in (1, 2)]
    critics = [prepared(*table, seed) for seed, table in enumerate(tables)]

    def run(
        parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Tensor
    ) -> Scores:
        return functional_call(critics[0], (parameters, buffers), (x, y))

    parameters, buffers = stack_module_state(list[nn.Module](critics))
    x, y = (torch.stack(values)[:, :16] for values in zip(*tables, strict=True))
    lifted = vmap(run)(parameters, buffers, x, y)
    (lifted.joint.sum() + lifted.product.exp().sum()).backward()
    for index, critic in enumerate(critics):
        alone = critic(x[index], y[index])
        (alone.joint.sum() + alone.product.exp().sum()).backward()
        torch.testing.assert_close(lifted.joint[index], alone.joint, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(lifted.product[index], alone.product, rtol=1e-4, atol=1e-4)
        for name, parameter in critic.named_parameters():
            gradient = parameters[name].grad
            assert parameter.grad is not None
            assert gradient is not None
            torch.testing.assert_close(gradient[index], parameter.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embed": 0}, "embed must be positive, got 0"),
        ({"waves": -1}, "waves must be 0 or more, got -1"),
        ({"clip": 0.0}, "clip must be positive, got 0.0"),
        ({"begin": math.nan}, "begin must be positive, got nan"),
        ({"held_back": 1.0}, "held_back must be a share of the rows, above 0 and below 1, got 1.0"),
        ({"hidden": [0]}, "hidden must list positive widths"),
        ({"warp": [0]}, "hidden must list positive widths"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build(2, 2, **changes)
