"""Mutual information as a term of a loss, with every estimator and critic that conf/ lists; a new
option is tested automatically.
"""

import copy
import inspect
import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infobound import MutualInformation
from infobound.conf import by_name
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.base import Estimator
from infobound.estimators.club import CLUB
from infobound.estimators.mine import MINE
from infobound.estimators.nwj import NWJ
from infobound.models.critics.scores import Scores, from_matrix

BATCH, DIM, TRUTH = 24, 2, 1.0
IMAGE = (1, 4, 6)
PAIRS = CorrelatedGaussians(DIM, None, TRUTH)


def _trains_a_critic(target: object) -> bool:
    return inspect.isclass(target) and issubclass(target, Estimator)


ESTIMATORS = [name for name, made in by_name.targets("estimator").items() if _trains_a_critic(made)]
CRITICS = [*by_name.targets("critic")]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)


def sampled(seed: int = 0, size: int = BATCH) -> tuple[Tensor, Tensor]:
    return PAIRS.sample(size, torch.Generator().manual_seed(seed))


def made(estimator: str = "nwj", critic: Any = None, **settings: Any) -> MutualInformation:
    """A module whose critic has taken two steps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mi = MutualInformation(DIM, DIM, estimator, critic, **settings)
        mi.update(*sampled(1))
        mi.update(*sampled(2))
    return mi


once_made = cache(made)


def by(estimator: str) -> MutualInformation:
    """A module with all defaults."""
    return copy.deepcopy(once_made(estimator))


def tensors(mi: nn.Module) -> dict[str, Tensor]:
    return {
        name: each.clone() for name, each in mi.state_dict().items() if isinstance(each, Tensor)
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def encoder(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(DIM, 8), nn.Tanh(), nn.Linear(8, DIM))


def gradients(network: nn.Module) -> list[Tensor]:
    return [each.grad.clone() for each in network.parameters() if each.grad is not None]


def test_the_family_is_found() -> None:
    assert {"nwj", "mine", "club", "flo", "barber_agakov"} < set(ESTIMATORS)
    assert {"separable", "concat", "copula", "convolutional"} < set(CRITICS)
    assert "ksg" not in ESTIMATORS


@every_estimator
def test_a_reading_has_gradients_for_the_rows_but_not_for_the_critic(estimator: str) -> None:
    mi = by(estimator)
    before = tensors(mi)
    x, z = (rows.requires_grad_() for rows in sampled())
    nats = mi(x, z)
    assert nats.shape == ()
    assert nats.dtype == torch.float32
    nats.backward()
    assert same(before, tensors(mi))
    assert not gradients(mi)
    reached = [rows.grad for rows in (x, z) if rows.grad is not None]
    assert reached
    assert all(each.isfinite().all() and each.any() for each in reached)


@every_estimator
def test_an_optimiser_of_the_whole_model_does_not_move_the_critic(estimator: str) -> None:
    mi, network = by(estimator), encoder()
    optimizer = torch.optim.AdamW([*network.parameters(), *mi.parameters()], lr=0.1)
    before = tensors(mi)
    x, _ = sampled()
    mi(x, network(x)).backward()
    optimizer.step()
    assert same(before, tensors(mi))


@every_estimator
def test_an_update_only_moves_the_critic(estimator: str) -> None:
    mi = by(estimator)
    before = tensors(mi)
    x, z = (rows.requires_grad_() for rows in sampled())
    nats = mi.update(x, z)
    assert not nats.requires_grad
    assert x.grad is None
    assert z.grad is None
    assert same(before, tensors(mi)) == (mi.optimizer is None)
    assert mi.steps == 3


@every_estimator
def test_a_loaded_state_continues_exactly(estimator: str) -> None:
    first = by(estimator)
    second = MutualInformation(DIM, DIM, estimator)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for mi in first, second:
        for seed in range(3):
            mi.update(*sampled(seed))
    assert same(tensors(first), tensors(second))
    assert first.steps == second.steps == 5
    assert torch.equal(first(*sampled()), second(*sampled()))


@every_estimator
def test_micro_batches_pooled_are_the_large_batch(estimator: str) -> None:
    mi, large, small = by(estimator), encoder(), encoder()
    x, _ = sampled()
    nats = mi(x, large(x))
    nats.backward()
    parts = [*x.split([5, 8, 11])]
    pooled = mi.pooled((part, small(part)) for part in parts)
    shares = [share(part, small(part)) for share, part in zip(pooled, parts, strict=True)]
    assert not gradients(small)
    for share in shares:
        share.backward()
    torch.testing.assert_close(pooled.value, nats.detach())
    torch.testing.assert_close(torch.stack(shares).sum().detach(), nats.detach())
    torch.testing.assert_close(gradients(small), gradients(large), atol=1e-6, rtol=1e-4)
    other = copy.deepcopy(mi)
    other.update(x, small(x))
    mi.update(*pooled.rows)
    # Adam makes steps of the rounding errors of gradients that are 0, as of a bias without effect.
    torch.testing.assert_close(tensors(mi), tensors(other), atol=1e-4, rtol=1e-4)


@every_estimator
def test_half_precision_is_read_in_full(estimator: str) -> None:
    mi = by(estimator)
    full = mi(*sampled())
    with torch.autocast("cpu", torch.bfloat16):
        x, z = (rows.requires_grad_() for rows in sampled())
        nats = mi(x, z)
        mi.update(x, z)
    nats.backward()
    half = by(estimator).bfloat16()
    assert all(each.dtype == torch.float32 for each in half.estimator.state_dict().values())
    for each in nats, half(*(rows.bfloat16() for rows in sampled())), half.update(*sampled()):
        assert each.dtype == torch.float32
        torch.testing.assert_close(each.detach(), full.detach(), rtol=0.1, atol=0.1)


@every_estimator
def test_held_out_rows_are_pooled_before_the_bound(estimator: str) -> None:
    mi, (x, z) = by(estimator), sampled()
    before = tensors(mi)
    read = mi.own.networks
    read.eval()
    blocks = [read.scores(x[rows], z[rows]) for rows in torch.arange(BATCH).split(BATCH // 2)]
    read.train()
    scores = Scores(*(torch.cat(each) for each in zip(*blocks, strict=True)))
    expected = mi.estimator.bound(scores, x, z).value.item()
    assert mi.value(x.numpy(), z.tolist(), batch_size=BATCH // 2) == pytest.approx(expected)
    assert mi.training
    assert read.training
    assert same(before, tensors(mi))


@pytest.mark.parametrize("critic", CRITICS)
def test_every_critic_reads_rows_and_images(critic: str) -> None:
    images = critic.endswith("convolutional")
    x, z = torch.randn(2, 6, *(IMAGE if images else (DIM,)), requires_grad=True)
    shape = IMAGE if images else DIM
    mi = MutualInformation(shape, 24 if critic == "semi_convolutional" else shape, "nwj", critic)
    mi.update(x, z)
    before = tensors(mi)
    mi(x, z).backward()
    mi(x.flatten(1), z.flatten(1)).backward()
    assert same(before, tensors(mi))


def test_running_means_of_a_critic_stay_while_it_is_read() -> None:
    network = nn.Sequential(nn.Linear(2 * DIM, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    mi = made(critic=network)
    before = tensors(mi)
    z = sampled()[1].requires_grad_()
    mi(sampled()[0], z).backward()
    assert same(before, tensors(mi))
    mi.update(*sampled())
    assert not torch.equal(
        before["own.networks.critic.network.network.1.running_mean"],
        tensors(mi)["own.networks.critic.network.network.1.running_mean"],
    )


class Mine(nn.Module):
    """A critic of two rows."""

    def __init__(self, wrap: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.weight, self.wrap = nn.Linear(DIM, DIM), wrap

    def forward(self, x: Tensor, y: Tensor) -> object:
        return self.wrap(x @ self.weight(y).mT)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Linear(2 * DIM, 8), nn.ReLU(), nn.Linear(8, 1)),
        nn.Sequential(nn.LayerNorm(2 * DIM), nn.Linear(2 * DIM, 1), nn.Flatten(0)),
        Mine(from_matrix),
        Mine(lambda matrix: tuple(from_matrix(matrix))),
        Mine(lambda matrix: matrix),
    ],
    ids=["split", "joined", "scores", "pair", "matrix"],
)
def test_a_network_of_yours_is_a_critic(network: nn.Module) -> None:
    mi = MutualInformation(DIM, DIM, NWJ(), network, optimizer=partial(torch.optim.SGD, lr=0.1))
    x, y = sampled()
    if isinstance(network, Mine):
        matrix = x @ network.weight(y).mT
    else:
        rows = [network(torch.cat([x, each.expand_as(x)], 1)) for each in y]
        matrix = torch.cat([each.view(-1, 1) for each in rows], 1)
    expected = NWJ().bound(from_matrix(matrix), x, y).value
    torch.testing.assert_close(mi(x, y).detach(), expected)
    before = tensors(network)
    mi.update(x, y)
    assert not same(before, tensors(network)), "it is used as it is, not copied"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"critic": nn.Linear(2 * DIM, 3)}, "critic must have one output"),
        ({"critic": Mine(lambda matrix: matrix[:2])}, "critic must return Scores"),
        ({"critic": 3}, "critic must be the name"),
        ({"critic": "separabel"}, "nearest: separable"),
        ({"estimator": "ksg"}, "estimator must be one that trains a critic"),
        ({"estimator": "club", "critic": "concat"}, "must give log q"),
        ({"goal": "minimize"}, "goal must be one of minimise, maximise"),
        ({"critic_steps": 0}, "critic_steps must be a positive integer"),
        ({"overrides": ["critic.hiden=[2]"]}, "unknown key critic.hiden"),
        ({"critic": nn.Bilinear(2, 2, 1), "overrides": ["critic.embed=3"]}, "given as an object"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MutualInformation(DIM, DIM, **arguments)(*sampled())


@pytest.mark.parametrize(
    ("x", "z", "words"),
    [
        (torch.randn(4, 3), torch.randn(4, 2), r"x must have 2 numbers a row, got .*\(4, 3\)"),
        (torch.randn(4, 2), torch.randn(5, 2), "paired by row, got 4 and 5"),
        (torch.randn(4, 2), torch.randn(4), "z must have 2 numbers"),
    ],
)
def test_rows_of_another_shape_are_refused(x: Tensor, z: Tensor, words: str) -> None:
    mi = MutualInformation(2, 2)
    for call in mi, mi.update, mi.fit, mi.value:
        with pytest.raises(ValueError, match=words):
            call(x, z)


def test_labels_are_rows_of_one_number() -> None:
    mi = MutualInformation(DIM, 1)
    labels = torch.arange(BATCH) % 2
    assert torch.equal(mi(sampled()[0], labels), mi(sampled()[0], labels.float().unsqueeze(1)))


def test_a_critic_trained_on_arrays_reads_the_truth_of_others() -> None:
    torch.manual_seed(0)
    mi = MutualInformation(DIM, DIM, overrides=["critic.hidden=[64]", "optimizer.lr=3e-3"])
    x, z = sampled(3, 4000)
    source = torch.Generator().manual_seed(0)
    mi.fit(x.numpy(), z.numpy(), steps=400, batch_size=64, generator=source)
    assert mi.steps == 400
    assert mi.value(*sampled(4, 2000)) == pytest.approx(TRUTH, abs=0.15)


def test_the_critic_takes_the_given_number_of_steps() -> None:
    once, thrice = made(), made(critic_steps=3)
    assert (once.steps, thrice.steps) == (2, 6)


def test_the_optimiser_follows_the_parameters() -> None:
    mi = by("mine")
    mi.double()
    mi.update(*sampled())
    assert mi.optimizer is not None
    for parameter, state in mi.optimizer.state.items():
        assert parameter.dtype == state["exp_avg"].dtype == torch.float64
    copied = MutualInformation(DIM, DIM, "mine")
    copied.load_state_dict({**mi.float().state_dict()}, assign=True)
    before = tensors(copied)
    copied.update(*sampled())
    assert not same(before, tensors(copied))
    assert not any(each.requires_grad for each in copied.parameters())


def test_a_deep_copy_is_independent() -> None:
    mi = by("mine")
    before, other = tensors(mi), copy.deepcopy(mi)
    other.update(*sampled())
    assert same(before, tensors(mi))
    assert not same(before, tensors(other))


@pytest.mark.parametrize("estimator", ["mine"])
def test_it_compiles_as_one_graph(estimator: str) -> None:
    mi = by(estimator)
    compiled = torch.compile(mi, backend="aot_eager", fullgraph=True)
    results = []
    for each in mi, compiled:
        x, z = (rows.requires_grad_() for rows in sampled())
        nats = each(x, z)
        nats.backward()
        results.append([nats.detach(), x.grad, z.grad])
    torch.testing.assert_close(*results)
    mi.update(*sampled())
    torch.testing.assert_close(compiled(*sampled()), mi(*sampled()))


PAIRINGS = [
    ("nwj", 1.0, "lower bound"),
    ("club", -1.0, "upper bound"),
    ("n_pair", 1.0, "loss"),
    ("nwj", -1.0, None),
    ("club", 1.0, None),
    ("smile", 1.0, None),
    ("smile", -1.0, None),
    ("nwj", 0.0, None),
]


@pytest.mark.parametrize(("estimator", "beta", "kind"), PAIRINGS)
def test_a_wrong_pairing_warns_once(estimator: str, beta: float, kind: str | None) -> None:
    mi = by(estimator)
    for attempt in range(2):
        x, z = (rows.requires_grad_() for rows in sampled())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (2 * z.sum() + beta * mi(x, z)).backward()
        told = [str(each.message) for each in caught]
        assert len(told) == (kind is not None and attempt == 0)
        assert all(f"{kind}, and this loss would" in each for each in told)


def test_a_stated_goal_warns_immediately() -> None:
    with pytest.warns(UserWarning, match="CLUB is an upper bound, and this loss would maximise"):
        mi = made("club", goal="maximise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mi(*(rows.requires_grad_() for rows in sampled())).backward()
        made("club", goal="minimise")
        made("nwj", goal="maximise")


def test_functional_transforms_read_it_too() -> None:
    mi, (x, z) = by("nwj"), sampled()
    gradients = torch.func.vmap(torch.func.grad(lambda rows: mi(x, rows)))(torch.stack([z, 2 * z]))
    z.requires_grad_()
    (expected,) = torch.autograd.grad(-mi(x, z), z)
    torch.testing.assert_close(gradients[0], -expected)


def test_rows_that_change_between_the_passes_are_refused() -> None:
    mi, noisy = by("nwj"), nn.Dropout(0.5)
    x, _ = sampled()
    pooled = mi.pooled([(x, noisy(x))])
    with pytest.raises(ValueError, match="dropout or noise must repeat"):
        pooled[0](x, noisy(x))
    with pytest.raises(ValueError, match="at least one micro-batch"):
        mi.pooled([])


def test_what_is_fitted_to_rows_is_fitted_to_the_first() -> None:
    torch.manual_seed(0)
    mi = MutualInformation(DIM, DIM, "barber_agakov")
    x, z = sampled()
    mi(x, 5 * z)
    expected = MutualInformation(DIM, DIM, "barber_agakov")
    expected.prepare(x, 5 * z)
    entropy = mi.estimator.get_buffer("entropy")
    assert torch.equal(entropy, expected.estimator.get_buffer("entropy"))
    mi.update(x, z)
    assert torch.equal(entropy, mi.estimator.get_buffer("entropy"))
    mi.prepare(x, z)
    assert not torch.equal(entropy.clone(), expected.estimator.get_buffer("entropy"))


def test_an_estimator_object_chooses_the_critic_that_it_needs() -> None:
    by_object, named = MutualInformation(DIM, DIM, CLUB()), MutualInformation(DIM, DIM, "club")
    assert tensors(by_object).keys() == tensors(named).keys()


def test_an_estimator_object_is_not_shared() -> None:
    estimator = MINE(alpha=0.5)
    MutualInformation(DIM, DIM, estimator).update(*sampled())
    assert estimator.log_average == -torch.inf
