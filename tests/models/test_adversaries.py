"""Generators, discriminators and encoders: their shapes, and lifted copies that equal single
ones.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from infobound.models.adversaries import dcgan, gan_mlp
from infobound.models.adversaries.interface import Adversaries, Inference

IMAGE, POINT = (3, 28, 28), (2,)
MLP = Adversaries(
    partial(gan_mlp.Generator, hidden=[8, 8], slope=0.2, batch_norm=True),
    partial(gan_mlp.Discriminator, hidden=[8, 8], slope=0.0),
    partial(gan_mlp.Encoder, hidden=[8, 8], slope=0.2, batch_norm=True),
)
DCGAN = Adversaries(
    partial(dcgan.Generator, channels=[6, 4], batch_norm=True),
    partial(dcgan.Discriminator, channels=[4, 6], slope=0.2, batch_norm=True),
    partial(dcgan.Encoder, channels=[4, 6], slope=0.2, batch_norm=True),
)
EACH = pytest.mark.parametrize(
    ("model", "shape"), [(MLP, POINT), (MLP, IMAGE), (DCGAN, IMAGE), (DCGAN, (1, 9, 5))]
)


@EACH
def test_networks_map_codes_to_samples_to_scores_and_back(
    model: Adversaries, shape: tuple[int, ...]
) -> None:
    module = Inference(model.generator(7, shape), model.encoder(shape, 5))
    fake, inferred = module(torch.randn(6, 7), torch.randn(6, *shape))
    assert fake.shape == (6, *shape)
    assert inferred.shape == (6, 5)
    assert model.discriminator(shape, 0)(fake).shape == (6,)
    assert model.discriminator(shape, 5)(fake, inferred).shape == (6,)


def test_a_joint_discriminator_looks_at_the_code() -> None:
    for model, shape in ((MLP, POINT), (DCGAN, IMAGE)):
        discriminator = model.discriminator(shape, 5).eval()
        x = torch.randn(4, *shape)
        assert not torch.equal(
            discriminator(x, torch.zeros(4, 5)), discriminator(x, torch.ones(4, 5))
        )


def test_images_of_convolutions_stay_within_the_range_of_data() -> None:
    assert DCGAN.generator(7, IMAGE)(100 * torch.randn(6, 7)).abs().max().item() <= 1


@EACH
@pytest.mark.parametrize("part", ["generator", "encoder", "discriminator"])
def test_lifted_copies_with_batch_norm_equal_single_ones(
    model: Adversaries, shape: tuple[int, ...], part: str
) -> None:
    """Outputs, gradients, second derivatives, and the averages of batch normalisation agree."""
    torch.manual_seed(0)
    build: dict[str, Callable[[], nn.Module]] = {
        "generator": lambda: model.generator(7, shape),
        "encoder": lambda: model.encoder(shape, 5),
        "discriminator": lambda: model.discriminator(shape, 0),
    }
    modules = [build[part]().double() for _ in range(3)]
    stacked: Any = stack_module_state(copy.deepcopy(modules))
    base = copy.deepcopy(modules[0]).to("meta")
    inputs = torch.randn(3, 6, *((7,) if part == "generator" else shape), dtype=torch.float64)
    lifted = read(lambda x: vmap(partial(call, base))(stacked, x), inputs)
    alone = [read(module, each) for module, each in zip(modules, inputs, strict=True)]
    for together, apart in zip(lifted, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(together, torch.stack(apart))
    for index, module in enumerate(modules):
        for kind, own in zip(
            stacked, (dict(module.named_parameters()), dict(module.named_buffers())), strict=True
        ):
            for name, values in own.items():
                torch.testing.assert_close(kind[name][index], values)
                if isinstance(values, nn.Parameter) and values.grad is not None:
                    torch.testing.assert_close(kind[name].grad[index], values.grad)


def call(base: nn.Module, state: Any, x: torch.Tensor) -> torch.Tensor:
    return functional_call(base, state, (x,))


def read(function: Callable[..., Any], x: torch.Tensor) -> list[torch.Tensor]:
    """Output, gradient by x, and the gradient by x of the squared gradient, whose backward pass
    also fills the parameters' gradients.
    """
    x = x.detach().requires_grad_()
    output = function(x)
    (gradient,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert x.grad is not None
    return [output.detach(), gradient.detach(), x.grad]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: gan_mlp.Generator(2, POINT, hidden=[8, 0], slope=0.2, batch_norm=True),
            "hidden must list at least one",
        ),
        (
            lambda: gan_mlp.Discriminator(POINT, 0, hidden=[8], slope=1.0),
            "slope must be at least 0, which gives ReLUs, and below 1",
        ),
        (
            lambda: dcgan.Generator(2, POINT, channels=[8], batch_norm=True),
            "model must be one for samples of the shape",
        ),
        (
            lambda: dcgan.Discriminator(IMAGE, 0, channels=[], slope=0.2, batch_norm=True),
            "channels must list at least one",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build()
