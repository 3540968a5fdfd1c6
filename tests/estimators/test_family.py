"""Properties of every estimator with every critic that conf/ lists; a new option is tested
automatically.

B batch, K product samples a row.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.base import Bound, Estimator, Kind
from infobound.estimators.measurement import Measurement, Prepared
from infobound.models.critics.scores import Scores
from tests.shapes import unchecked

CONF = Path(__file__).parents[2] / "conf"
BATCH, DIM = 12, 2
STEPS, RATE = 100, 1e-2
TRUTH = 1.0
TOLERANCE = 0.15
"""Nats: four standard errors of the best critic's value on 1024 pairs, where the log ratio has
variance 1.3.
"""
IMAGE = (1, 1, DIM)
"""The shape in which critics for images see x and y."""
UNALIKE = {"jsd", "club"}
"""Estimators that are far from the truth by design: a divergence that is not mutual information,
and an upper bound that is loose here.
"""


def composed(group: str) -> dict[str, DictConfig]:
    """The configuration with each option of a group, by name, except estimators of rows, which
    leave no critic.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        options = {
            path.stem: compose("config", [f"{group}={path.stem}"])
            for path in sorted((CONF / group).glob("*.yaml"))
        }
    return {name: cfg for name, cfg in options.items() if cfg.critic is not None}


CRITICS = {name: cfg.critic for name, cfg in composed("critic").items()}
ESTIMATORS = {
    name: cfg
    for name, cfg in composed("estimator").items()
    if get_object(cfg.estimator["_target_"]).kind != "loss"
}


def estimator_called(name: str) -> Estimator:
    return instantiate(ESTIMATORS[name].estimator)


def critic_called(name: str, **settings: Any) -> torch.nn.Module:
    """The configured critic with those of these settings that it has."""
    node, settings = CRITICS[name], settings | dict.fromkeys(("shape", "shape_x", "shape_y"), IMAGE)
    return instantiate(node, **{key: value for key, value in settings.items() if key in node})(
        DIM, DIM
    )


def measurement(
    estimator: str, critic: str, seed: int = 0, rows: int = 64, **settings: Any
) -> Measurement:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = Measurement(critic_called(critic, **settings), estimator_called(estimator))
        built.prepare(*sampled(rows, seed=999))
        return built


def sampled(size: int = BATCH, seed: int = 0) -> tuple[Tensor, Tensor]:
    joint = CorrelatedGaussians(DIM, rho=None, mutual_information=TRUTH)
    return joint.sample(size, torch.Generator().manual_seed(seed))


def best_critic(estimator: str) -> str:
    """The critic that the estimator's YAML chooses, or else the most general one."""
    own = next(name for name, node in CRITICS.items() if node == ESTIMATORS[estimator].critic)
    return "concat" if own == "separable" else own


GIVES = {name: getattr(critic_called(name), "scores", "any") for name in CRITICS}
READS = {name: estimator_called(name).scores for name in ESTIMATORS}
PAIRS = [
    (estimator, critic)
    for estimator in READS
    for critic in GIVES
    if READS[estimator] in ("any", GIVES[critic])
]
LEARNERS = [pair for pair in PAIRS if any(True for _ in measurement(*pair).parameters())]
"""All pairs in which the critic or the estimator has parameters."""
TRAINED = [pair for pair in PAIRS if pair[0] == "infonce" or pair[1] == best_critic(pair[0])]
"""Every estimator with the critic that suits it best, and every critic with one estimator."""
CAPPED = [name for name in ESTIMATORS if estimator_called(name).cap(1) is not None]


def every(pairs: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("estimator", "critic"), pairs, ids=map("-".join, pairs))


every_pair, every_learner = every(PAIRS), every(LEARNERS)


def state(module: Measurement) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_the_family_is_found() -> None:
    assert set(ESTIMATORS) == {estimator for estimator, _ in TRAINED}
    assert set(CRITICS) == {critic for _, critic in TRAINED}
    assert {"infonce", "dv", "nwj", "club"} <= set(ESTIMATORS)
    assert {"ksg", "gaussian", "n_pair", "triplet"}.isdisjoint(ESTIMATORS)  # of rows, and losses
    assert ("club", "conditional_gaussian") in TRAINED
    assert ("club", "separable") not in PAIRS


@every_pair
def test_scores_are_vectors_and_bounds_finite_scalars(estimator: str, critic: str) -> None:
    module = measurement(estimator, critic)
    joint, product = module.scores(*sampled())
    assert joint.shape == (BATCH,)
    assert product.ndim == 2
    assert product.shape[0] == BATCH
    assert 1 <= product.shape[1] < BATCH
    for tensor in module(*sampled()):
        assert tensor.shape == ()
        assert tensor.dtype == torch.float32
        assert tensor.isfinite()


@every_learner
def test_fit_reaches_every_parameter(estimator: str, critic: str) -> None:
    """A bias may have gradient zero where a bound is normalised; a weight may not. Few rows would
    switch a part of the copula critic off.
    """
    module = measurement(estimator, critic, rows=512)
    module(*sampled()).fit.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.ndim < 2 or parameter.grad.any(), name


@every_pair
def test_objective_reaches_both_inputs(estimator: str, critic: str) -> None:
    x, y = (values.requires_grad_() for values in sampled())
    for gradient in torch.autograd.grad(measurement(estimator, critic)(x, y).objective, [x, y]):
        assert gradient.isfinite().all()
        assert gradient.any(dim=1).all(), "a row was left out"


@every_pair
def test_value_is_detached_and_the_others_are_not(estimator: str, critic: str) -> None:
    x, y = (values.requires_grad_() for values in sampled())
    fit, objective, value = measurement(estimator, critic)(x, y)
    assert fit.requires_grad
    assert objective.requires_grad
    assert not value.requires_grad


@every_pair
def test_bound_has_no_side_effect(estimator: str, critic: str) -> None:
    module = measurement(estimator, critic)
    module(*sampled(seed=1))
    scores = module.scores(*sampled())
    before = state(module)
    readings = [module.estimator.bound(scores, *sampled()) for _ in range(2)]
    assert readings[0] == readings[1]
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)


@every_pair
def test_averages_move_only_in_training_mode(estimator: str, critic: str) -> None:
    module = measurement(estimator, critic)
    before = state(module)
    module.eval()(*sampled())
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    module.train()(*sampled())
    after = module.estimator.state_dict()
    moved = {
        name
        for name, tensor in after.items()
        if not torch.equal(tensor, before[f"estimator.{name}"])
    }
    averages = estimator_called(
        estimator
    ).named_buffers()  # statistics of the data from prepare are not averages
    assert moved == {name for name, _ in averages}


@every_pair
def test_a_loaded_state_gives_the_same_bound(estimator: str, critic: str) -> None:
    module, other = measurement(estimator, critic), measurement(estimator, critic, seed=1)
    for seed in range(3):
        module(*sampled(seed=seed))
    other.load_state_dict(module.state_dict())
    torch.testing.assert_close(other.state_dict(), module.state_dict(), rtol=0, atol=0)
    assert other.eval()(*sampled(seed=4)) == module.eval()(*sampled(seed=4))


@every_pair
def test_two_lifted_copies_read_like_single_ones(estimator: str, critic: str) -> None:
    modules = [measurement(estimator, critic, seed) for seed in range(2)]
    x, y = (torch.stack(values) for values in zip(sampled(seed=2), sampled(seed=3), strict=True))

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], *pairs: Tensor) -> Bound:
        return functional_call(modules[0], (parameters, buffers), pairs)

    lifted = vmap(run)(*stack_module_state(modules), x, y)
    alone = [module(*pairs) for module, *pairs in zip(modules, x, y, strict=True)]
    for copies, each in zip(lifted, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(copies, torch.stack(each))


@every_pair
def test_a_critic_in_bfloat16_is_read_in_float32(estimator: str, critic: str) -> None:
    module = measurement(estimator, critic).eval()
    exact = module(*sampled())
    with torch.autocast("cpu", torch.bfloat16):
        rough = module(*sampled())
    assert all(tensor.dtype == torch.float32 for tensor in rough)
    torch.testing.assert_close(rough.value, exact.value, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("estimator", CAPPED)
@pytest.mark.parametrize("negatives", [1, 7])
def test_no_value_is_above_the_cap_that_an_estimator_states(estimator: str, negatives: int) -> None:
    module = measurement(estimator, best_critic(estimator)).estimator
    cap = module.cap(negatives)
    assert cap is not None
    for lead in (0.0, 1.0, 10.0, 1e4):
        scores = Scores(torch.full((BATCH,), lead), torch.full((BATCH, negatives), -lead))
        value = module.bound(scores, *sampled()).value.item()
        assert value <= cap + 1e-5
    assert value == pytest.approx(cap, rel=1e-5)


class Trained(NamedTuple):
    """Values on 1024 held-out pairs in nats."""

    before: float
    after: float
    kind: Kind


@cache
def trained(estimator: str, critic: str) -> Trained:
    """Train for STEPS steps on fresh batches of 64 pairs, with narrow networks if a critic has
    hidden layers.
    """
    hidden = [32, 32] if isinstance(CRITICS[critic].get("hidden"), ListConfig) else 32
    module = measurement(estimator, critic, hidden=hidden, channels=[8, 8])
    before = held_out(module)
    if parameters := list(module.parameters()):
        unchecked(train)(module, torch.optim.Adam(parameters, lr=RATE, fused=True))
    return Trained(before, held_out(module), module.estimator.kind)


def train(module: Measurement, optimizer: torch.optim.Optimizer) -> None:
    module.train()
    x, y = sampled(64 * STEPS, seed=1)
    for pairs in zip(x.split(64), y.split(64), strict=True):
        optimizer.zero_grad()
        module(*pairs).fit.backward()
        optimizer.step()


@torch.no_grad()
def held_out(module: Measurement) -> float:
    return module.eval()(*sampled(1024, seed=1000)).value.item()


@every(TRAINED)
def test_a_trained_value_lies_on_its_side_of_the_truth(estimator: str, critic: str) -> None:
    value, kind = trained(estimator, critic).after, trained(estimator, critic).kind
    assert math.isfinite(value)
    assert kind != "lower bound" or value <= TRUTH + TOLERANCE
    assert kind != "upper bound" or value >= TRUTH - TOLERANCE


@every([pair for pair in TRAINED if pair in LEARNERS])
def test_training_raises_a_lower_bound(estimator: str, critic: str) -> None:
    """The rise is at least a quarter of the truth; critics that were fitted in prepare start
    higher.
    """
    result = trained(estimator, critic)
    rise = 0 if isinstance(critic_called(critic), Prepared) else 0.25 * TRUTH
    assert result.kind != "lower bound" or result.after > result.before + rise


@pytest.mark.parametrize("estimator", sorted(set(ESTIMATORS) - UNALIKE))
def test_a_critic_brings_an_estimator_close_to_the_truth(estimator: str) -> None:
    assert abs(trained(estimator, best_critic(estimator)).after - TRUTH) < 0.2 * TRUTH


@every_pair
def test_a_batch_is_read_on_its_own_device(estimator: str, critic: str) -> None:
    """The meta device replaces a GPU: it has no values, and refuses to mix with a CPU."""
    module = measurement(estimator, critic).to("meta")
    x, y = (rows.to("meta") for rows in sampled())
    scores = module.scores(x, y)
    module.estimator.update(scores)
    read = module.estimator.bound(scores, x, y)
    assert {each.device.type for each in (*scores, *read)} == {"meta"}
