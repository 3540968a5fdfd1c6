"""Encoders: shapes, starts near the identity, exact inverses, and several copies at once."""

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.func import functional_call, jacrev, stack_module_state, vmap

from infobound.models.encoders.networks import MLP, ConvNet, Identity, Invertible, ResidualMLP
from infobound.models.encoders.realnvp import Coupling, RealNVP
from infobound.models.layers.initialisation import glorot, near_zero
from infobound.models.layers.mlp import mlp

CONF = Path(__file__).parents[2] / "conf"
INPUTS = 2 * 5 * 6
CONVNET = partial(ConvNet, shape=(2, 5, 6), channels=[4, 6], outputs=7, activation="ReLU")
RESIDUAL = partial(ResidualMLP, layers=3, activation="ReLU", deviation=1e-4)
FLOW = partial(
    RealNVP, couplings=4, hidden=[16, 16], activation="ReLU", least_scale=1e-7, deviation=1e-4
)
BUILDS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "identity": (Identity, INPUTS),
    "mlp": (partial(MLP, hidden=[8, 9], outputs=7, activation="ReLU"), 7),
    "convnet": (CONVNET, 7),
    "residual_mlp": (RESIDUAL, INPUTS),
    "additive": (partial(FLOW, affine=False), INPUTS),
    "affine": (partial(FLOW, affine=True), INPUTS),
}
ENCODERS = [
    path
    for path in sorted((CONF / "model").glob("*.yaml"))
    if re.match(r"_target_: models\.(encoders|realnvp)\.", path.read_text())
]
every_encoder = pytest.mark.parametrize(("build", "outputs"), BUILDS.values(), ids=BUILDS)
both_flows = pytest.mark.parametrize("affine", [False, True], ids=["additive", "affine"])


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(count: int = 11, inputs: int = INPUTS, seed: int = 0) -> Tensor:
    return torch.randn(count, inputs, generator=source(seed))


def made(build: Callable[..., nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(INPUTS)


@every_encoder
def test_each_row_becomes_its_own_representation(
    build: Callable[..., nn.Module], outputs: int
) -> None:
    encoder = made(build)
    together = encoder(rows())
    assert together.shape == (11, outputs)
    torch.testing.assert_close(
        together, torch.cat([encoder(row) for row in rows().split(1)]), rtol=1e-4, atol=1e-5
    )


@every_encoder
def test_every_weight_is_reached(build: Callable[..., nn.Module], outputs: int) -> None:
    encoder = made(build)
    encoder(rows().requires_grad_()).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@every_encoder
def test_lifted_copies_encode_like_single_ones(
    build: Callable[..., nn.Module], outputs: int
) -> None:
    encoders = [made(build, seed) for seed in range(2)]
    x = torch.stack([rows(seed=2), rows(seed=3)])
    lifted = vmap(partial(functional_call, encoders[0]))(stack_module_state(encoders), x)
    alone = torch.stack([encoder(each) for encoder, each in zip(encoders, x, strict=True)])
    torch.testing.assert_close(lifted, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("path", ENCODERS, ids=lambda path: path.stem)
def test_every_configured_encoder_takes_half_a_digit(path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        build = instantiate(compose("config", [f"model={path.stem}"]).model, _convert_="all")
    encoded = build(392)(rows(4, 392))
    assert encoded.shape == (4, 100 if path.stem in ("mlp", "convnet") else 392)
    assert encoded.isfinite().all()


def test_the_published_widths_are_those_of_the_files() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        built = {
            name: instantiate(compose("config", [f"model={name}"]).model)(392)
            for name in ("mlp", "residual_mlp", "realnvp")
        }
    shapes = {
        name: [tuple(each.shape) for each in network.parameters() if each.ndim == 2]
        for name, network in built.items()
    }
    assert shapes["mlp"] == [(300, 392), (300, 300), (100, 300)]
    assert shapes["residual_mlp"] == [(392, 392)] * 5
    assert shapes["realnvp"] == [(512, 196), (512, 512), (196, 512)] * 30


def test_the_convnet_normalises_each_image_over_channels_and_places() -> None:
    """The normalisation is computed by hand, with a gain and a bias for every channel."""
    network: Any = made(CONVNET)
    _, first, _, second, _, norm, _, _, last = network
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    maps = second(first(rows().view(11, 2, 5, 6)).relu()).relu()
    normal = (maps - maps.mean((1, 2, 3), keepdim=True)) / (
        maps.var((1, 2, 3), correction=0, keepdim=True) + norm.eps
    ).sqrt()
    averages = (normal * norm.weight[:, None, None] + norm.bias[:, None, None]).mean((2, 3))
    torch.testing.assert_close(network(rows()), last(averages))


def test_a_residual_mlp_is_its_definition() -> None:
    network, x = made(partial(RESIDUAL, layers=3, deviation=0.3)), rows()
    first, second, third = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
    hidden = x + first(x).relu()
    hidden = hidden + second(hidden).relu()
    torch.testing.assert_close(network(x), hidden + third(hidden))


def test_a_residual_mlp_begins_near_the_identity() -> None:
    torch.testing.assert_close(made(partial(RESIDUAL, layers=5))(rows()), rows(), rtol=0, atol=0.02)


@both_flows
def test_a_flow_begins_near_a_permutation(affine: bool) -> None:
    jacobian = jacrev(made(partial(FLOW, affine=affine)))(rows(1)[0])
    torch.testing.assert_close(jacobian, jacobian.round(), rtol=0, atol=1e-3)
    assert jacobian.round().sum(0).eq(1).all()
    assert jacobian.round().sum(1).eq(1).all()


def test_a_single_coupling_is_its_definition() -> None:
    """Half of the inputs stay, and scale and shift the others; then the order changes."""
    settings = {
        "hidden": [8],
        "activation": "ReLU",
        "affine": True,
        "deviation": 0.5,
        "least_scale": 0.25,
    }
    flow = RealNVP(5, source(), couplings=1, **settings)
    coupling, x = cast(Coupling, flow[0]), rows(3, 5)
    shift, raw = coupling.network(x[:, :2]).split(3, dim=1)
    scale = (1 + (torch.e**0.75 - 1) * raw.exp()).log() + 0.25
    torch.testing.assert_close(
        flow(x), torch.cat([x[:, :2], x[:, 2:] * scale + shift], dim=1)[:, coupling.order]
    )


@both_flows
@pytest.mark.parametrize("inputs", [2, 7, 392])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_the_inverse_reconstructs(
    affine: bool, inputs: int, dtype: torch.dtype, tolerance: float
) -> None:
    """The weights of 30 couplings are far from their initial values, so that half of the outputs
    differ from the inputs.
    """
    settings = {"couplings": 30, "hidden": [32, 32], "affine": affine, "deviation": 0.1}
    flow, x = FLOW(inputs, source(), **settings).to(dtype), rows(20, inputs).to(dtype)
    z = flow(x)
    assert not z.sort(dim=1).values.allclose(x.sort(dim=1).values, atol=1e-3)
    torch.testing.assert_close(flow.inverse(z), x, rtol=0, atol=tolerance)
    torch.testing.assert_close(flow(flow.inverse(x)), x, rtol=0, atol=tolerance)


@both_flows
def test_volumes_are_preserved_by_shifts_alone(affine: bool) -> None:
    flow = FLOW(
        6, source(), couplings=3, hidden=[8], activation="Tanh", affine=affine, deviation=1.0
    ).double()
    volume = jacrev(flow)(rows(1, 6)[0].double()).det().abs().item()
    assert (volume == pytest.approx(1, abs=1e-12)) is not affine


@pytest.mark.parametrize("least_scale", [1e-7, 0.3])
def test_no_scale_falls_below_the_least(least_scale: float) -> None:
    """For any weights, the first half keeps its volume, and the other half does not shrink
    further.
    """
    flow = FLOW(
        6, source(), couplings=1, hidden=[8], affine=True, least_scale=least_scale, deviation=9.0
    ).double()
    x = rows(200, 6).double()
    scales = vmap(jacrev(lambda row: flow(row[None])[0]))(x).det().abs() ** (1 / 3)
    assert scales.min() >= least_scale
    torch.testing.assert_close(flow.inverse(flow(x)), x, rtol=0, atol=1e-12 / least_scale)


def test_invertible_encoders_declare_it() -> None:
    invertible = {
        name for name, (build, _) in BUILDS.items() if isinstance(build(INPUTS), Invertible)
    }
    assert invertible == {"identity", "additive", "affine"}


@pytest.mark.parametrize(
    "build", [build for name, (build, _) in BUILDS.items() if name != "identity"]
)
def test_initial_weights_come_from_the_generator(build: Callable[..., nn.Module]) -> None:
    first, again, other = (build(INPUTS, source(seed)).state_dict() for seed in (1, 1, 2))
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    for name, tensor in first.items():
        assert tensor.equal(other[name]) is (name.endswith("bias") or tensor.eq(1).all().item()), (
            name
        )


def test_weights_near_zero_are_normal_and_cut_off_at_two_deviations() -> None:
    """A normal variable truncated at two deviations has 0.8796 of its standard deviation, which
    160,000 samples determine to 0.2 %.
    """
    weight, bias = near_zero(mlp(400, [], 400, "ReLU"), 1e-4, source()).parameters()
    assert 1.99e-4 < weight.abs().max() <= 2e-4
    assert weight.std().item() == pytest.approx(0.8796e-4, rel=0.01)
    assert not bias.any()


def test_glorot_weights_are_uniform_within_their_bound() -> None:
    """The square of the bound is 6 / (fan in + fan out), and the variance of a uniform variable is
    a third of it.
    """
    network = glorot(nn.Sequential(nn.Linear(300, 200), nn.Conv2d(20, 30, 5)), source())
    for layer, bound in zip(network, (math.sqrt(6 / 500), math.sqrt(6 / (25 * 50))), strict=True):
        weight, bias = layer.parameters()
        assert 0.99 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
        assert not bias.any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            partial(MLP, hidden=[0], outputs=7, activation="ReLU"),
            "hidden must list positive widths",
        ),
        (
            partial(MLP, hidden=[], outputs=0, activation="ReLU"),
            "outputs must be a positive integer, got 0",
        ),
        (
            partial(CONVNET, shape=(1, 5, 6)),
            "shape must be channels, height and width of 60 numbers",
        ),
        (partial(CONVNET, channels=[]), "channels must list at least one positive width"),
        (partial(CONVNET, outputs=-1), "outputs must be a positive integer, got -1"),
        (partial(RESIDUAL, layers=0), "layers must be a positive integer, got 0"),
        (partial(RESIDUAL, deviation=0.0), "deviation must be positive, got 0"),
        (partial(FLOW, affine=True, couplings=0), "couplings must be a positive integer, got 0"),
        (partial(FLOW, affine=True, hidden=[0]), "hidden must list positive widths"),
        (partial(FLOW, affine=True, deviation=float("nan")), "deviation must be positive, got nan"),
        (partial(FLOW, affine=True, least_scale=1.0), "least_scale must be between 0 and 1, got 1"),
    ],
)
def test_wrong_options_are_refused_by_name(build: Callable[..., nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{message}"):
        build(INPUTS)


def test_a_flow_needs_two_halves() -> None:
    with pytest.raises(ValueError, match=r"^RealNVP needs at least two inputs, got 1"):
        FLOW(1, affine=False)
