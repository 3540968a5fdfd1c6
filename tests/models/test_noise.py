"""Noise inside critics: with the requested standard deviation in training, drawn from the given
generators, and none in evaluation.
"""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from infobound.models.critics.dense import Concat, Separable
from infobound.models.critics.scores import Scores
from infobound.models.layers.mlp import mlp
from infobound.models.noise.gaussian_noise import Noise

CRITICS = {
    "separable": partial(Separable, 3, 2, hidden=[8, 8], embed=4, activation="ReLU"),
    "concat": partial(Concat, 3, 2, hidden=[8, 8], activation="ReLU", negatives=None),
    "few partners": partial(Concat, 3, 2, hidden=[8, 8], activation="ReLU", negatives=2),
}


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_noise_has_the_given_deviation_and_is_fresh_each_time() -> None:
    noise = Noise(0.3)
    noise.generators = generators(0)
    first, second = (noise(torch.ones(400, 100)) for _ in range(2))
    assert float(first.mean()) == pytest.approx(1, abs=0.01)
    assert float(first.std()) == pytest.approx(0.3, abs=0.005)
    assert float(
        torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
    ) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("in_dim", [0, 1])
def test_a_lifted_copy_draws_like_a_single_one(in_dim: int) -> None:
    def drawn(*seeds: int) -> Tensor:
        noise.generators = generators(*seeds)
        return vmap(noise, in_dims=in_dim)(torch.zeros(len(seeds), 5, 2).movedim(0, in_dim))

    noise = Noise(0.3)
    three, one = drawn(4, 5, 6), drawn(5)
    assert torch.equal(three[1], one[0])
    assert not torch.equal(three[0], three[1])


@pytest.mark.parametrize("build", CRITICS.values(), ids=CRITICS)
def test_a_critic_is_noisy_only_in_training(build: Callable[..., Callable[..., Scores]]) -> None:
    torch.manual_seed(0)
    critic, plain = build(noise=[0.3, 0.5, 0.5]), build()
    assert isinstance(critic, torch.nn.Module)
    assert isinstance(plain, torch.nn.Module)
    own = generators(0)
    for layer in critic.modules():
        if isinstance(layer, Noise):
            layer.generators = own
    parameters = [each.detach() for each in critic.parameters()]
    for mine, theirs in zip(plain.parameters(), parameters, strict=True):
        mine.data = theirs
    x, y = torch.randn(6, 3, generator=own[0]), torch.randn(6, 2, generator=own[0])
    assert not torch.equal(critic(x, y).product, plain(x, y).product)
    assert not torch.equal(critic(x, y).joint, critic(x, y).joint)
    critic.eval()
    torch.testing.assert_close(critic(x, y), plain(x, y), rtol=0, atol=0)


@pytest.mark.parametrize(
    "noise", [[0.3], [0.3, 0.5, 0.5, 0.5], [0.3, -0.5, 0.5], [0.3, float("nan"), 0.5]]
)
def test_noise_that_does_not_fit_the_layers_is_refused(noise: list[float]) -> None:
    with pytest.raises(
        ValueError,
        match=r"^noise must list a standard deviation of 0 or more before each of 3 linear layers",
    ):
        mlp(3, [8, 8], 1, "ReLU", noise=noise)
