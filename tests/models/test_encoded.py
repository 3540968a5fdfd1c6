"""A critic of encoded pairs."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from infobound.estimators.infonce import InfoNCE
from infobound.estimators.measurement import Measurement
from infobound.models.critics.conditional_gaussian import ConditionalGaussian
from infobound.models.critics.dense import Bilinear, InnerProduct
from infobound.models.critics.encoded import Encoded
from infobound.models.critics.scores import Scores
from infobound.models.encoders.networks import MLP
from infobound.runners.training.ensemble import Ensemble

NETWORK = partial(MLP, hidden=[8], outputs=3, activation="ReLU")


def made(dim_y: int = 5, shared: bool = False) -> Encoded:
    torch.manual_seed(0)
    return Encoded(5, dim_y, model=NETWORK, critic=Bilinear, shared=shared)


def pairs(dim_y: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, 5, generator=generator), torch.randn(6, dim_y, generator=generator)


@pytest.mark.parametrize("dim_y", [4, 5])
def test_the_critic_scores_representations(dim_y: int) -> None:
    module, (x, y) = made(dim_y), pairs(dim_y)
    torch.testing.assert_close(
        module(x, y), module.critic(module.encoder_x(x), module.encoder_y(y)), rtol=0, atol=0
    )


@pytest.mark.parametrize("shared", [False, True])
def test_views_share_their_weights_on_request(shared: bool) -> None:
    module = made(shared=shared)
    assert len(list(module.parameters())) == (1 if shared else 2) * 4 + 1
    x, _ = pairs()
    assert torch.equal(module.encoder_x(x), module.encoder_y(x)) is shared


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("replicates", [1, 3])
def test_copies_are_trained_at_once(shared: bool, replicates: int) -> None:
    """The shared weights stay shared: encoders and critic are trained together, and a copy then
    encodes both views in the same way.
    """

    def build(_: int) -> nn.Module:
        return Measurement(Encoded(5, 5, model=NETWORK, critic=Bilinear, shared=shared), InfoNCE())

    settings = {
        "seed": 0,
        "device": torch.device("cpu"),
        "precision": "fp32",
        "compiled": False,
        "average": 0.0,
    }
    ensemble = Ensemble(build, replicates=replicates, **settings)
    optimizer = Adam([ensemble.parameters], lr=1e-2)
    x = torch.randn(replicates, 64, 5, generator=torch.Generator().manual_seed(2))
    before = ensemble(x, x).value.mean()
    for _ in range(30):
        ensemble.descend(ensemble(x, x).fit, optimizer)
    assert ensemble(x, x).value.mean() > before + 0.5
    copy = ensemble.copy(replicates - 1).get_submodule("critic")
    assert isinstance(copy, Encoded)
    assert torch.equal(copy.encoder_x(x[0]), copy.encoder_y(x[0])) is shared


class Watching(InnerProduct):
    """Keeps the rows that it sees before step 0."""

    shown: tuple[Tensor, Tensor]

    def prepare(self, x: Tensor, y: Tensor) -> None:
        self.shown = x, y


def test_a_critic_is_prepared_on_representations() -> None:
    module, (x, y) = Encoded(5, 5, model=NETWORK, critic=Watching, shared=False), pairs()
    Measurement(module, InfoNCE()).prepare(x, y)
    assert isinstance(module.critic, Watching)
    torch.testing.assert_close(
        module.critic.shown, (module.encoder_x(x), module.encoder_y(y)), rtol=0, atol=0
    )
    made().prepare(x, y)


def test_it_gives_the_scores_that_its_critic_gives() -> None:
    density = partial(
        ConditionalGaussian, hidden=[4], activation="ReLU", covariance="diagonal", negatives=None
    )
    assert Encoded(5, 5, model=NETWORK, critic=density, shared=False).scores == "log density"
    assert made().scores == "any"
    assert isinstance(made()(*pairs()), Scores)


def test_views_of_different_dimensions_cannot_share() -> None:
    with pytest.raises(
        ValueError,
        match=r"^shared must be false if x and y have different dimensions, got 5 and 4",
    ):
        made(dim_y=4, shared=True)
