"""The penalties of invariant training in your own loop, as conf/ lists them; a new option is tested
automatically.
"""

import copy
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from infobound import penalties
from infobound.conf import by_name, schema
from infobound.estimators.js import JS
from infobound.in_training.pivot_penalty import PivotPenalty
from infobound.models.critics.dense import Bilinear
from infobound.regularizers.base import Penalty
from infobound.regularizers.exposed import expose

NAMES = penalties.names()
PURE = {"mmd", "distance_correlation"}
every_penalty = pytest.mark.parametrize("name", NAMES)
ROWS, BATCH = 400, 48


def sampled(seed: int, size: int = BATCH, dependent: float = 1.0) -> tuple[Tensor, Tensor]:
    """Logits that depend on the pivot, which has mean 5 and standard deviation 3."""
    source = torch.Generator().manual_seed(seed)
    pivot, noise = torch.randn(2, size, 1, generator=source)
    return dependent * pivot + 0.5 * noise, 3 * pivot + 5


@cache
def _trained(name: str) -> PivotPenalty:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        penalty = getattr(penalties, name)(logits=1, pivots=sampled(0, ROWS)[1])
        for step in range(10):
            penalty.update(*sampled(step))
    return penalty


def trained(name: str) -> PivotPenalty:
    return copy.deepcopy(_trained(name))


def tensors(module: nn.Module) -> dict[str, Tensor]:
    return {
        name: each.clone() for name, each in module.state_dict().items() if isinstance(each, Tensor)
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_every_regularizer_of_pivots_is_a_penalty() -> None:
    runners_own = {
        "mutual_information",
        "mine_bottleneck",
        "privacy_utility",
        "gaussian_bottleneck",
    }
    assert {*PURE, "kl_update", "minmax", "adversary"} < set(NAMES) == set(dir(penalties))
    assert not runners_own & set(NAMES)
    with pytest.raises(AttributeError, match="nearest: kl_update"):
        _ = penalties.kl_updat


@every_penalty
def test_a_penalty_has_gradients_for_the_logits_and_moves_nothing(name: str) -> None:
    penalty, (logits, pivot) = trained(name), sampled(99)
    before = tensors(penalty)
    logits.requires_grad_()
    read = penalty(logits, pivot)
    read.backward()
    assert read.shape == ()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad.any()
    assert same(before, tensors(penalty))
    assert all(each.grad is None for each in penalty.parameters())


@every_penalty
def test_minimising_a_penalty_reduces_dependence(name: str) -> None:
    penalty = trained(name)
    assert penalty(*sampled(99, 1000)) > penalty(*sampled(99, 1000, dependent=0.0)) + 0.02


@every_penalty
def test_own_networks_move_in_an_update(name: str) -> None:
    penalty = trained(name)
    before, logits = tensors(penalty), sampled(0)[0].requires_grad_()
    penalty.update(logits, sampled(0)[1])
    assert same(before, tensors(penalty)) == (name in PURE)
    assert penalty.steps == (0 if name in PURE else 11 * penalty.critic_steps)
    assert logits.grad is None


@every_penalty
def test_a_loaded_state_continues_exactly(name: str) -> None:
    first, second = trained(name), getattr(penalties, name)(1, sampled(7, ROWS)[1])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for penalty in first, second:
        penalty.update(*sampled(1))
        penalty.update(*sampled(2))
    assert same(tensors(first), tensors(second))
    assert torch.equal(first(*sampled(3)), second(*sampled(3)))


@every_penalty
def test_it_reads_what_the_runners_read(name: str) -> None:
    cfg = by_name.composed({}, (), "runner=invariant", f"regularizer={name}")
    penalty, (logits, pivot) = trained(name), sampled(99)
    code = penalty.code(pivot)
    regularizer = schema.built(cfg, "regularizer")
    runners = regularizer(expose(logits=logits, pivot=code, raw_pivot=sampled(0, ROWS)[1]))
    state = penalty.own.networks.state_dict()
    runners.load_state_dict(
        {key.replace("critic.network.", "critic."): each for key, each in state.items()}
    )
    terms = runners.terms(expose(logits=logits, pivot=code, raw_pivot=pivot))
    torch.testing.assert_close(penalty(logits, pivot), terms.penalty)
    assert isinstance(runners, Penalty) == (name not in PURE)


@every_penalty
def test_held_out_rows_are_read(name: str) -> None:
    penalty = trained(name)
    before = tensors(penalty)
    logits, pivot = sampled(99, 600)
    dependent = penalty.value(logits.numpy(), pivot)
    assert same(before, tensors(penalty))
    assert penalty.training
    independent = penalty.value(0 * logits, pivot)
    assert dependent != pytest.approx(independent, abs=0.02)


def test_parts_may_be_objects() -> None:
    penalty = PivotPenalty("kl_update", 1, sampled(0, ROWS)[1], estimator=JS(), critic=Bilinear)
    penalty.update(*sampled(0))
    network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    before = tensors(network)
    penalty = PivotPenalty("minmax", 1, sampled(0, ROWS)[1].squeeze(1), critic=network)
    penalty.update(*(rows.squeeze(1) for rows in sampled(0)))
    assert not same(before, tensors(network))


def test_a_strength_of_the_regularizer_counts() -> None:
    penalty = PivotPenalty("mmd", 1, sampled(0)[1], overrides=["regularizer.lam=3"])
    plain = PivotPenalty("mmd", 1, sampled(0)[1])
    torch.testing.assert_close(penalty(*sampled(1)), 3 * plain(*sampled(1)))


def test_what_does_not_fit_is_refused() -> None:
    pivots = sampled(0)[1]
    with pytest.raises(ValueError, match="critic must be left out with mmd"):
        PivotPenalty("mmd", 1, pivots, critic="concat")
    with pytest.raises(ValueError, match="warmup must be 0"):
        PivotPenalty("mmd", 1, pivots, overrides=["regularizer.warmup=5"])
    with pytest.raises(ValueError, match="estimator must give nats"):
        PivotPenalty("minmax", 1, pivots, estimator="triplet", critic="squared_distance")
    with pytest.raises(ValueError, match="logits must have 2 numbers a row"):
        PivotPenalty("mmd", 2, pivots)(*sampled(0))
