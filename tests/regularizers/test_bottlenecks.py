"""Bottlenecks: a rate is weighted directly; an information is maximised by the critic and minimised
by the model.
"""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.estimators.infonce import InfoNCE
from infobound.estimators.ksg import KSG
from infobound.models.critics.dense import InnerProduct, Separable
from infobound.regularizers.mine_bottleneck import MineBottleneck
from infobound.regularizers.rate import Rate

SETTINGS: dict[str, Any] = {
    "estimator": InfoNCE(),
    "critic": partial(Separable, hidden=[8], embed=4, activation="ReLU"),
    "optimizer": partial(torch.optim.Adam, lr=1e-3),
    "beta": 1.0,
    "critic_steps": 1,
    "until": None,
    "clip": False,
}


def rows(size: int = 32) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(size, 3, generator=source)
    return {"input": x, "representation": (0.1 * x).requires_grad_(), "rate": x.square().sum(1)}


def mine(seen: dict[str, Tensor], **changes: Any) -> MineBottleneck:
    return MineBottleneck(seen, **{**SETTINGS, **changes})


def test_the_penalty_of_a_rate_is_its_mean() -> None:
    seen = rows()
    penalty, value = Rate(seen, beta=0.1)(seen["rate"])
    assert float(penalty) == float(value) == pytest.approx(float(seen["rate"].mean()))


def test_the_encoder_minimises_what_the_critic_maximises() -> None:
    """With inner products of x and a short z = x / 10, a shorter z has less information: the
    penalty's gradient points along z.
    """
    seen = rows()
    penalty = mine(seen, critic=InnerProduct)
    terms = penalty(seen["input"], seen["representation"])
    assert (
        terms.penalty.item()
        == pytest.approx(-terms.fit.item())
        == pytest.approx(terms.value.item())
    )
    terms.penalty.backward()
    z = seen["representation"]
    assert z.grad is not None
    assert (z.grad * z).sum() > 0


def test_the_encoder_does_not_minimise_below_zero() -> None:
    """If the critic prefers wrong pairs, a bound is below 0 and has no lower limit."""
    seen = rows()
    z = (-10 * seen["input"]).requires_grad_()
    terms = mine(seen, critic=InnerProduct)(seen["input"], z)
    assert terms.value.item() < -10
    assert terms.penalty.item() == 0
    terms.penalty.backward()
    assert z.grad is not None
    assert not z.grad.any()
    assert terms.fit.item() == pytest.approx(-terms.value.item())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta": -1.0}, "beta must be 0 or more, got -1.0"),
        ({"critic": None}, "estimator must be one that trains a critic, got InfoNCE without one"),
        (
            {"estimator": KSG(k=3, version=1, lnc=None)},
            "estimator must be one that trains a critic, got KSG without one",
        ),
    ],
)
def test_a_critics_wrong_settings_are_refused_by_name(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        mine(rows(), **changes)


def test_a_model_without_a_rate_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^beta needs a rate to weigh, but this model has no rate, got 0\.1; "
    ):
        Rate({"representation": torch.zeros(2, 1)}, beta=0.1)
    with pytest.raises(ValueError, match=r"^beta must be 0 or more, got -0\.1"):
        Rate(rows(), beta=-0.1)
