"""Layer and spectral normalisation as options of multilayer perceptrons and critics."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from infobound.models.critics.dense import Concat, Separable
from infobound.models.critics.scores import Scores
from infobound.models.layers.mlp import linear, mlp

CRITICS = {
    "separable": partial(Separable, 3, 2, hidden=[8, 8], embed=4, activation="ReLU"),
    "concat": partial(Concat, 3, 2, hidden=[8, 8], activation="ReLU", negatives=None),
}
every_critic = pytest.mark.parametrize("build", CRITICS.values(), ids=CRITICS)


def pairs(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 3, generator=generator), torch.randn(6, 2, generator=generator)


def steepest(layer: nn.Linear) -> float:
    return float(torch.linalg.matrix_norm(layer.weight, ord=2).detach())


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (1, 4)])
def test_a_spectrally_normalised_weight_has_largest_singular_value_one(
    shape: tuple[int, int],
) -> None:
    torch.manual_seed(0)
    layer = linear(*shape, spectral_norm=True)
    for _ in range(50):
        layer(torch.zeros(1, shape[0]))
    assert steepest(layer) == pytest.approx(1, abs=1e-4)


def test_the_estimate_follows_a_weight_that_is_trained() -> None:
    torch.manual_seed(0)
    layer = linear(6, 6, spectral_norm=True)
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn(6, 6))  # pyright: ignore
    before = steepest(layer)
    for _ in range(50):
        layer(torch.zeros(1, 6))
    assert abs(steepest(layer) - 1) < 0.01 < abs(before - 1)


def test_reading_does_not_change_the_estimate_of_the_norm() -> None:
    torch.manual_seed(0)
    layer = linear(6, 6, spectral_norm=True)
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn(6, 6))  # pyright: ignore
    layer.eval()
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    first = layer(torch.ones(1, 6))
    torch.testing.assert_close(layer(torch.ones(1, 6)), first, rtol=0, atol=0)
    torch.testing.assert_close(dict(layer.state_dict()), before, rtol=0, atol=0)


def test_the_scale_of_a_spectrally_normalised_weight_has_no_gradient() -> None:
    torch.manual_seed(0)
    layer = linear(4, 4, spectral_norm=True)
    layer(torch.randn(3, 4)).square().sum().backward()
    original = layer.parametrizations.weight.original  # pyright: ignore
    assert isinstance(original, nn.Parameter)
    assert original.grad is not None
    assert (original * original.grad).sum().item() == pytest.approx(0, abs=1e-4)


def test_layer_norm_stands_between_every_hidden_layer_and_its_activation() -> None:
    kinds = [type(layer) for layer in mlp(3, [8, 4], 1, "ELU", layer_norm=True)]
    assert kinds == [nn.Linear, nn.LayerNorm, nn.ELU, nn.Linear, nn.LayerNorm, nn.ELU, nn.Linear]
    kinds = [type(layer) for layer in CRITICS["concat"](layer_norm=True).rest]
    assert kinds == [nn.LayerNorm, nn.ReLU, nn.Linear, nn.LayerNorm, nn.ReLU, nn.Linear]


@every_critic
def test_every_weight_of_a_critic_is_normalised(build: Callable[..., nn.Module]) -> None:
    module = build(spectral_norm=True)
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == (6 if isinstance(module, Separable) else 3)
    assert all(hasattr(layer, "parametrizations") for layer in layers)


@every_critic
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_lifted_copies_score_like_single_ones(
    build: Callable[..., nn.Module], layer_norm: bool, spectral_norm: bool
) -> None:
    modules = []
    for seed in range(2):
        torch.manual_seed(seed)
        modules.append(build(layer_norm=layer_norm, spectral_norm=spectral_norm))
    x, y = (torch.stack(values) for values in zip(pairs(0), pairs(1), strict=True))

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], *inputs: Tensor) -> Scores:
        return functional_call(modules[0], (parameters, buffers), inputs)

    parameters, buffers = stack_module_state(modules)
    lifted = vmap(run)(parameters, buffers, x, y)
    for index, module in enumerate(modules):
        one = Scores(*(values[index] for values in lifted))
        torch.testing.assert_close(one, module(x[index], y[index]), rtol=1e-4, atol=1e-5)
        for name, buffer in module.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer)
