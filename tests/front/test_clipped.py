"""Adaptive gradient clipping in your own training loop."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from infobound import clipped


def terms(strength: float) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A network, a loss and a penalty of its output, and a parameter of the penalty."""
    torch.manual_seed(0)
    network, alone = nn.Linear(3, 2), torch.ones((), requires_grad=True)
    made = network(torch.randn(5, 3))
    return network, made.square().mean(), alone * strength * made.sin().sum(), alone


def length(term: Tensor, parameters: Sequence[Tensor]) -> float:
    gradients = torch.autograd.grad(term, parameters, retain_graph=True)
    return float(torch.cat([each.flatten() for each in gradients]).norm())


@pytest.mark.parametrize("strength", [100.0, -100.0])
def test_a_strong_penalty_pulls_as_hard_as_the_loss(strength: float) -> None:
    network, loss, penalty, _ = terms(strength)
    parameters = [*network.parameters()]
    total = clipped(loss, penalty, iter(parameters))
    pull = length(total - loss, parameters)
    assert pull == pytest.approx(length(loss, parameters), rel=1e-4)
    share = pull / length(penalty, parameters)
    assert total.item() == pytest.approx((loss + share * penalty).item())


def test_a_weak_penalty_is_not_clipped() -> None:
    network, loss, penalty, alone = terms(1e-3)
    total = clipped(loss, penalty, network.parameters())
    assert torch.equal(total, loss + penalty)
    total.backward()
    assert alone.grad is not None
    assert alone.grad == pytest.approx(float(penalty.detach()))


def test_gradients_are_made_by_backward_alone() -> None:
    network, loss, penalty, _ = terms(100.0)
    clipped(loss, penalty, network.parameters())
    assert all(each.grad is None for each in network.parameters())


def test_what_cannot_be_clipped_is_refused() -> None:
    network, loss, penalty, _ = terms(1.0)
    with pytest.raises(ValueError, match="penalty must depend on one of the parameters"):
        clipped(loss, penalty.detach(), network.parameters())
    with pytest.raises(ValueError, match="loss must depend on one of the parameters"):
        clipped(loss, penalty, nn.Linear(1, 1).parameters())
    with pytest.raises(ValueError, match=r"penalty must be a scalar, got the shape \(2,\)"):
        clipped(loss, torch.stack([penalty, penalty]), network.parameters())
