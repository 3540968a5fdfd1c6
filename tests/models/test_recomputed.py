"""Recomputation for the gradient gives the same results, for one network and for lifted ones, and
keeps no intermediate results.
"""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from infobound.models.critics import dense as critics
from infobound.models.critics.dense import Concat

CRITIC = Concat(3, 2, hidden=[16, 16], activation="ELU", negatives=None)


def pairs(copies: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(copies, 40, 3, generator=generator), torch.randn(
        copies, 40, 2, generator=generator
    )


def gradients(copies: int, *, lifted: bool) -> list[Tensor]:
    """Gradients of a bound on all pairs with respect to the parameters of each copy."""
    leaves = {
        name: each.detach().repeat(copies, *[1] * each.dim()).requires_grad_()
        for name, each in CRITIC.named_parameters()
    }

    def bound(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        scores = functional_call(CRITIC, values, (x, y))
        return scores.joint.float().mean() - scores.product.float().logsumexp((0, 1))

    x, y = pairs(copies)
    value = (
        vmap(bound)(leaves, x, y).sum()
        if lifted
        else bound({name: each[0] for name, each in leaves.items()}, x[0], y[0])
    )
    return list(torch.autograd.grad(value, list(leaves.values())))


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(("copies", "lifted"), [(1, False), (1, True), (3, True)])
def test_recomputation_does_not_change_the_gradient(
    copies: int, lifted: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(critics, "CHUNK", 2000)
    with torch.autocast("cpu", torch.bfloat16, bf16):
        once = gradients(copies, lifted=lifted)
        monkeypatch.setattr(critics, "KEPT", 0)
        again = gradients(copies, lifted=lifted)
    torch.testing.assert_close(
        again, once, rtol=0.05 if bf16 else 1e-5, atol=0.01 if bf16 else 1e-6
    )


@pytest.mark.parametrize("computed_again", [False, True])
def test_recomputation_decides_whether_layers_of_all_pairs_are_kept(
    computed_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if computed_again:
        monkeypatch.setattr(critics, "KEPT", 0)
    sizes = list[int]()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda each: sizes.append(each.numel()) or each, lambda each: each
    ):
        x, y = pairs(1)
        CRITIC(x[0], y[0])
    assert (max(sizes) < 40 * 40 * 16) == computed_again
