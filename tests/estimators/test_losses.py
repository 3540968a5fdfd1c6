"""Losses of metric learning: their definitions, and their relation to InfoNCE."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Adam

from infobound.estimators import bounds, losses
from infobound.estimators.base import Estimator
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.measurement import Measurement
from infobound.estimators.n_pair import NPair
from infobound.estimators.triplet import Triplet
from infobound.models.critics.dense import InnerProduct, SquaredDistance
from infobound.models.critics.encoded import Encoded
from infobound.models.critics.scores import Scores
from infobound.models.encoders.networks import MLP

BATCH, DIM = 9, 4
PRODUCT: Callable[[int, int], nn.Module] = InnerProduct
DISTANCE = partial(SquaredDistance, normalised=True)
LOSSES = {"n_pair": (NPair, PRODUCT), "triplet": (partial(Triplet, margin=0.2), DISTANCE)}
every_loss = pytest.mark.parametrize(("build", "critic"), LOSSES.values(), ids=LOSSES)


def embedded(seed: int = 0) -> tuple[Tensor, Tensor]:
    x, y = torch.randn(
        2, BATCH, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return x.requires_grad_(), y.requires_grad_()


def test_n_pair_is_its_definition() -> None:
    x, y = (each.detach() for each in embedded())
    terms = [
        math.log1p(sum(math.exp(x[i] @ y[j] - x[i] @ y[i]) for j in range(BATCH) if j != i))
        for i in range(BATCH)
    ]
    assert losses.n_pair(InnerProduct(DIM, DIM)(x, y)).item() == pytest.approx(
        sum(terms) / BATCH, abs=1e-12
    )


@pytest.mark.parametrize("scale", [1, 1e3])
def test_infonce_with_an_inner_product_is_the_n_pair_loss_up_to_its_constant(scale: float) -> None:
    """InfoNCE = log B - loss, for values and gradients, to the precision of float64."""
    x, y = embedded()
    scores = InnerProduct(DIM, DIM)(scale * x, scale * y)
    information, loss = InfoNCE().bound(scores, x, y), NPair().bound(scores, x, y)
    torch.testing.assert_close(
        information.value, loss.value + math.log(BATCH), rtol=1e-12, atol=1e-12
    )
    for ours, theirs in zip(
        *(torch.autograd.grad(each.fit, [x, y], retain_graph=True) for each in (information, loss)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_with_few_negatives_the_constant_depends_on_their_number() -> None:
    scores = Scores(torch.tensor([1.0, 2.0]), torch.tensor([[0.5, 3.0, -1.0], [0.0, 2.0, 9.0]]))
    torch.testing.assert_close(losses.n_pair(scores), math.log(4) - bounds.infonce(scores))


def test_triplet_takes_the_nearest_negative_that_is_farther_than_the_joint_one() -> None:
    """If all are nearer, it takes the farthest; beyond the margin the loss is 0."""
    product = torch.tensor([[0.9, 1.5, 0.2], [1.4, 1.2, 3.0], [0.5, 0.7, 0.1], [1.0, 0.6, 2.0]])
    losing = [0.2 - 0.1, 0.2 + 0.2, 0.0, 0.2 - 0.4]
    expected = sum(max(each, 0.0) for each in losing) / 4
    assert losses.triplet(Scores(torch.ones(4), product), margin=0.2).item() == pytest.approx(
        expected
    )


def test_triplet_on_unit_vectors_is_that_of_squared_distances() -> None:
    x, y = embedded()
    apart = torch.cdist(F.normalize(x), F.normalize(y)).square().tolist()
    total = 0.0
    for i, row in enumerate(apart):
        own, others = row[i], [row[j] for j in range(BATCH) if j != i]
        chosen = min((each for each in others if each > own), default=max(others))
        total += max(0.0, 0.2 + own - chosen)
    assert total > 0
    assert losses.triplet(DISTANCE(DIM, DIM)(x, y), margin=0.2).item() == pytest.approx(
        total / BATCH, abs=1e-12
    )


@pytest.mark.parametrize("loss", [losses.n_pair, partial(losses.triplet, margin=0.7)])
def test_gradients_are_those_of_the_values(loss: Callable[[Scores], Tensor]) -> None:
    scores = InnerProduct(DIM, DIM)(*embedded())
    joint, product = (each.detach().requires_grad_() for each in scores)
    assert torch.autograd.gradcheck(lambda *given: loss(Scores(*given)), (joint, product))


@pytest.mark.parametrize("lead", [-1e4, 1e4])
@pytest.mark.parametrize("loss", [losses.n_pair, partial(losses.triplet, margin=0.2)])
def test_distant_scores_do_not_overflow(loss: Callable[[Scores], Tensor], lead: float) -> None:
    joint = torch.full((3,), lead, requires_grad=True)
    value = loss(Scores(joint, torch.zeros(3, 2)))
    value.backward()
    assert value.item() == pytest.approx(max(-lead, 0), rel=1e-3)
    assert joint.grad is not None
    assert joint.grad.isfinite().all()


@every_loss
def test_a_reading_is_minus_the_loss_and_is_marked_as_a_loss(
    build: Callable[[], Estimator], critic: Callable[..., nn.Module]
) -> None:
    x, y = embedded()
    module = Measurement(critic(DIM, DIM), build())
    fit, objective, value = module(x, y)
    assert module.estimator.kind == "loss"
    assert module.estimator.cap(8) is None
    assert not value.requires_grad
    assert fit.item() == -objective.item() == -value.item() > 0


@every_loss
def test_lifted_copies_read_like_single_ones(
    build: Callable[[], Estimator], critic: Callable[..., nn.Module]
) -> None:
    torch.manual_seed(0)
    encoder = partial(MLP, hidden=[5], outputs=3, activation="ReLU")
    modules = [
        Measurement(Encoded(DIM, DIM, model=encoder, critic=critic, shared=False), build()).double()
        for _ in range(2)
    ]
    x, y = (torch.stack(each) for each in zip(embedded(0), embedded(1), strict=True))
    lifted = vmap(partial(functional_call, modules[0]))(stack_module_state(modules), (x, y))
    alone = torch.stack([module(*pairs).fit for module, *pairs in zip(modules, x, y, strict=True)])
    torch.testing.assert_close(lifted.fit, alone)


@every_loss
def test_training_brings_pairs_together(
    build: Callable[[], Estimator], critic: Callable[..., nn.Module]
) -> None:
    """Most of 64 held-out rows are nearest to their partner, against one in 64 by chance."""
    torch.manual_seed(0)
    encoder = partial(MLP, hidden=[32], outputs=8, activation="ReLU")
    module = Measurement(Encoded(DIM, DIM, model=encoder, critic=critic, shared=False), build())
    optimizer, source = Adam(module.parameters(), lr=1e-2), torch.Generator().manual_seed(1)
    for _ in range(150):
        x = torch.randn(64, DIM, generator=source)
        optimizer.zero_grad()
        module(x, x.flip(1)).fit.backward()
        optimizer.step()
    x = torch.randn(64, DIM, generator=source)
    joint, product = module.scores(x, x.flip(1))
    assert (joint > product.amax(1)).float().mean() > 0.5


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan])
def test_a_margin_that_is_not_positive_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match=r"^margin must be positive, got "):
        Triplet(margin=margin)
