"""Critics for images: their scores pair by pair, and refused settings."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from infobound.models.critics import convolutional
from infobound.models.critics.convolutional import (
    Convolutional,
    SemiConvolutional,
    SeparableConvolutional,
)
from infobound.models.critics.scores import Scores, from_matrix

BATCH = 5
IMAGE, VECTOR = (2, 7, 9), 3
SHARED = {"channels": [4, 6], "hidden": 8, "activation": "ELU"}
BOTH = partial(Convolutional, 126, 63, shape_x=IMAGE, shape_y=(1, 7, 9), **SHARED)
SEMI = partial(SemiConvolutional, 126, VECTOR, shape=IMAGE, **SHARED)
SEPARABLE = partial(
    SeparableConvolutional, 126, 63, shape_x=IMAGE, shape_y=(1, 7, 9), embed=3, **SHARED
)
BUILDS = {
    "convolutional": (partial(BOTH, negatives=None), 63),
    "convolutional with partners": (partial(BOTH, negatives=2), 63),
    "semi": (partial(SEMI, spatial=False, negatives=None), VECTOR),
    "semi with places": (partial(SEMI, spatial=True, negatives=None), VECTOR),
    "semi with partners": (partial(SEMI, spatial=True, negatives=2), VECTOR),
    "separable": (SEPARABLE, 63),
}
every_critic = pytest.mark.parametrize(("build", "dim_y"), BUILDS.values(), ids=BUILDS)


def made(build: Callable[..., nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build()


def batch(dim_y: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, 126, generator=generator), torch.randn(
        BATCH, dim_y, generator=generator
    )


@every_critic
def test_scores_are_in_the_defined_positions(build: Callable[..., nn.Module], dim_y: int) -> None:
    """Each pair is scored alone, as the joint pair of a batch that repeats it."""
    module, (x, y) = made(build), batch(dim_y)
    joint, product = module(x, y)
    rows = [
        [module(x[i].expand(3, -1), y[j].expand(3, -1)).joint[0] for j in range(BATCH)]
        for i in range(BATCH)
    ]
    matrix = torch.stack([torch.stack(row) for row in rows])
    expected = from_matrix(matrix)
    torch.testing.assert_close(joint, expected.joint)
    torch.testing.assert_close(product, expected.product[:, : product.shape[1]])


@every_critic
def test_chunks_do_not_change_scores(
    build: Callable[..., nn.Module], dim_y: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(build)(*batch(dim_y))
    monkeypatch.setattr(convolutional, "CHUNK", 1)
    torch.testing.assert_close(made(build)(*batch(dim_y)), whole)


@every_critic
def test_every_parameter_is_reached(build: Callable[..., nn.Module], dim_y: int) -> None:
    module = made(build)
    joint, product = module(*batch(dim_y))
    (joint.sum() + product.square().sum()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@every_critic
def test_lifted_copies_score_like_single_ones(build: Callable[..., nn.Module], dim_y: int) -> None:
    modules = [made(build, seed) for seed in range(2)]
    x, y = (torch.stack(values) for values in zip(batch(dim_y), batch(dim_y, seed=2), strict=True))

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], *pairs: Tensor) -> Scores:
        return functional_call(modules[0], (parameters, buffers), pairs)

    lifted = vmap(run)(*stack_module_state(modules), x, y)
    for index, module in enumerate(modules):
        one = Scores(*(values[index] for values in lifted))
        torch.testing.assert_close(one, module(x[index], y[index]), rtol=1e-4, atol=1e-5)


def test_the_first_layer_is_a_convolution_of_x_plus_one_of_y() -> None:
    module, (x, y) = made(partial(BOTH, negatives=None)), batch(63)
    assert isinstance(module, Convolutional)
    both = module.first_x(x) + module.first_y(y)
    torch.testing.assert_close(module(x, y).joint, module.rest(both).squeeze(1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            partial(BOTH, negatives=None, shape_x=(2, 7, 8)),
            "shape_y must have the height and width",
        ),
        (
            partial(BOTH, negatives=None, shape_x=(1, 7, 9)),
            "shape_x must be channels, height and width of 126 numbers",
        ),
        (
            partial(BOTH, negatives=None, shape_y=(2, 7, 9)),
            "shape_y must be channels, height and width of 63 numbers",
        ),
        (partial(BOTH, negatives=0), "negatives must be a positive integer"),
        (
            partial(SEMI, spatial=True, negatives=1, shape=(-2, -7, 9)),
            "shape must be channels, height and width",
        ),
        (
            partial(SEMI, spatial=True, negatives=1, channels=[]),
            "channels must list at least one positive width",
        ),
        (partial(SEPARABLE, channels=[4, 0]), "channels must list at least one positive width"),
        (partial(SEPARABLE, hidden=0), "hidden must be a positive integer"),
        (partial(SEPARABLE, embed=0), "embed must be a positive integer"),
    ],
)
def test_wrong_options_are_refused_by_name(build: Callable[..., nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{message}"):
        build()
