"""Noise layers: rates against exact divergences, and noise with the right distribution, from the
given generators, or none.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, LogNormal, Normal, kl_divergence
from torch.func import functional_call, stack_module_state, vmap

from infobound.models.classifiers.all_convolutional import AllConvolutional
from infobound.models.classifiers.interface import Classifier
from infobound.models.classifiers.mlp_classifier import MLPClassifier
from infobound.models.noise.binary_dropout import BinaryDropout, Dropout
from infobound.models.noise.gaussian_bottleneck import GaussianBottleneck, gaussian_rate
from infobound.models.noise.gaussian_noise import Noise
from infobound.models.noise.information_dropout import InformationDropout, LogUniform
from infobound.models.noise.information_dropout import LogNormal as LogNormalPrior
from infobound.models.noise.interface import Block, Layers, Noiseless

LAYERS: dict[str, Layers] = {
    "none": Noiseless,
    "binary": partial(BinaryDropout, keep=0.5),
    "gaussian": partial(GaussianBottleneck, shift=-1.0),
    "log_uniform": partial(InformationDropout, prior="log_uniform", max_alpha=0.7),
    "log_normal": partial(InformationDropout, prior="log_normal", max_alpha=0.7),
}
MLP: dict[str, Any] = {
    "hidden": [8],
    "bottleneck": 6,
    "activation": "ReLU",
    "additive": 0.0,
    "propagated": 0,
}
CNN: dict[str, Any] = {
    "channels": [4, 6],
    "filter_percentage": 1.0,
    "activation": "Softplus",
    "input_keep": 0.8,
    "channels_last": False,
}
MODELS: dict[str, Callable[..., Classifier]] = {
    "mlp": partial(MLPClassifier, (2, 8, 8), 3, **MLP),
    "additive": partial(MLPClassifier, (2, 8, 8), 3, **MLP | {"additive": 0.5}),
    "propagated": partial(MLPClassifier, (2, 8, 8), 3, **MLP | {"propagated": 4}),
    "cnn": partial(AllConvolutional, (2, 8, 8), 3, **CNN),
    "channels last": partial(AllConvolutional, (2, 8, 8), 3, **CNN | {"channels_last": True}),
}
WIDE = torch.float64


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=source(seed), dtype=WIDE)


def noisy(module: nn.Module, *seeds: int) -> nn.Module:
    """The module with noise from generators with these seeds, one for each copy."""
    own = [source(seed) for seed in seeds]
    for layer in module.modules():
        if isinstance(layer, Noise):
            layer.generators = own
            layer.train()
    return module


def linear(after: type[nn.Module] = nn.ReLU) -> Block:
    return Block(partial(nn.Linear, 5), 4, after)


def test_the_rate_of_a_gaussian_is_the_divergence_from_a_standard_normal() -> None:
    mean, std = random(50), random(50, seed=1).exp()
    torch.testing.assert_close(
        gaussian_rate(mean, std),
        kl_divergence(Normal(mean, std), Normal(torch.zeros(50, dtype=WIDE), 1)),
    )


def test_the_rate_against_a_log_normal_prior_is_the_divergence_of_log_normals() -> None:
    prior = LogNormalPrior().to(WIDE)
    with torch.no_grad():
        prior.mean.fill_(0.3)
        prior.log_std.fill_(-0.4)
    activation, strength = random(50).exp(), random(50, seed=1).sigmoid()
    exact = kl_divergence(
        LogNormal(activation.log(), strength), LogNormal(prior.mean, prior.log_std.exp())
    )
    torch.testing.assert_close(prior(activation, strength), exact)


def test_the_rate_against_a_log_uniform_prior_is_entropy_missing_from_the_most_noise() -> None:
    """The entropy is that of log z, for which the prior is flat."""
    strength = random(50).sigmoid() * 0.7 + 0.001
    exact = Normal(0, torch.tensor(0.701, dtype=WIDE)).entropy() - Normal(0, strength).entropy()
    torch.testing.assert_close(LogUniform(0.701)(random(50).exp(), strength), exact)


@pytest.mark.parametrize("name", ["gaussian", "log_uniform", "log_normal"])
def test_a_rate_has_the_gradient_that_its_differences_say(name: str) -> None:
    layer = LAYERS[name](linear(nn.Softplus)).to(WIDE).eval()
    layer.noise.eval()
    assert torch.autograd.gradcheck(lambda x: layer(x)[1], random(3, 5).requires_grad_())


@pytest.mark.parametrize("name", ["gaussian", "log_uniform", "log_normal"])
def test_every_number_has_a_rate(name: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name](Block(partial(nn.Conv2d, 2, kernel_size=3, padding=1), 4, nn.Softplus))
    noisy(layer, 0)
    x = torch.randn(3, 2, 5, 5, generator=source())
    z, rate = layer(x)
    assert z.shape == (3, 4, 5, 5)
    assert rate is not None
    assert rate.shape == z.shape
    torch.testing.assert_close(rate[1:2], layer(x[1:2])[1])
    assert rate.flatten(1).sum(1).min() > 0


def test_information_dropout_multiplies_by_log_normal_noise() -> None:
    layer = InformationDropout(linear(nn.Softplus), prior="log_normal", max_alpha=0.7)
    x = torch.randn(1, 5, generator=source())
    h, _ = layer.eval()(x)
    noisy(layer, 0)
    logs = layer(x.expand(4000, -1))[0].log() - h.log()
    strength = 0.001 + 0.7 * layer.affine(x).chunk(2, dim=1)[1].sigmoid()[0]
    torch.testing.assert_close(logs.mean(0), torch.zeros(4), rtol=0, atol=0.05)
    torch.testing.assert_close(logs.std(0), strength.detach(), rtol=0.05, atol=0)


def test_a_gaussian_code_has_its_mean_and_spread() -> None:
    layer = GaussianBottleneck(linear(), shift=-1.0)
    noisy(layer, 0)
    x = torch.randn(1, 5, generator=source())
    z = layer(x.expand(4000, -1))[0]
    mean, spread = layer.affine(x)[0].detach().chunk(2)
    std = nn.functional.softplus(spread - 1)
    torch.testing.assert_close(z.mean(0), mean, rtol=0, atol=4 * float(std.max()) / 4000**0.5)
    torch.testing.assert_close(z.std(0), std, rtol=0.05, atol=0)


@pytest.mark.parametrize("keep", [0.2, 0.8, 1.0])
def test_dropout_keeps_its_share_and_the_mean(keep: float) -> None:
    dropped = noisy(Dropout(keep, Noise(1.0)), 0)(torch.ones(20_000))
    assert sorted({*dropped.tolist()}) == pytest.approx([0, 1 / keep] if keep < 1 else [1])
    error = float(Bernoulli(torch.tensor(keep)).stddev) / math.sqrt(20_000)
    assert float((dropped > 0).float().mean()) == pytest.approx(keep, abs=4 * error)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_classifier_gives_logits_a_representation_and_a_rate_where_it_has_one(
    model: Callable[..., Classifier], layer: Layers
) -> None:
    module = noisy(model(noise=layer), 0)
    logits, z, *rate = module(torch.randn(5, 2, 8, 8, generator=source()))
    assert logits.shape == (5, 3)
    assert z.shape == (5, 6 if "MLP" in type(module).__name__ else 6 * 2 * 2)
    layers = 2 if isinstance(module, AllConvolutional) else 1
    assert [each.shape for each in rate] == (
        [] if layer in (LAYERS["none"], LAYERS["binary"]) else [(5, layers)]
    )


def test_the_maps_of_a_classifier_add_up_to_its_rates() -> None:
    x = torch.randn(5, 2, 8, 8, generator=source())
    for name, sizes in {"log_uniform": [(5, 4, 4), (5, 2, 2)], "binary": []}.items():
        module = MODELS["cnn"](noise=LAYERS[name]).eval()
        maps = module.maps(x)
        assert [each.shape for each in maps] == sizes
        for rates in module(x)[2:]:
            torch.testing.assert_close(
                torch.stack([each.sum((1, 2)) for each in maps], dim=1), rates
            )
    assert MODELS["mlp"](noise=LAYERS["gaussian"]).eval().maps(x) == []


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_classifier_is_deterministic_only_without_noise(
    model: Callable[..., Classifier], layer: Layers
) -> None:
    torch.manual_seed(0)
    module, x = model(noise=layer).eval(), torch.randn(5, 2, 8, 8, generator=source())
    assert torch.equal(module(x)[0], module(x)[0])
    noisy(module, 0)
    assert torch.equal(module(x)[0], module(x)[0]) == (
        model is MODELS["mlp"] and layer is LAYERS["none"]
    )


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_lifted_copies_draw_and_compute_like_single_ones(
    model: Callable[..., Classifier], layer: Layers
) -> None:
    modules = []
    for seed in range(2):
        torch.manual_seed(seed)
        modules.append(model(noise=layer))
    x = torch.randn(2, 5, 2, 8, 8, generator=source())
    parameters, buffers = stack_module_state(modules)
    noisy(modules[0], 3, 4)

    def run(
        parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor
    ) -> tuple[Tensor, ...]:
        return functional_call(modules[0], (parameters, buffers), (x,))

    lifted = vmap(run)(parameters, buffers, x)
    for index, module in enumerate(modules):
        alone = noisy(module, 3 + index)(x[index])
        torch.testing.assert_close([each[index] for each in lifted], [*alone], rtol=1e-4, atol=1e-5)


def test_the_order_in_memory_changes_no_number() -> None:
    x, found = torch.randn(5, 2, 8, 8, generator=source()), []
    for name in ("cnn", "channels last"):
        torch.manual_seed(0)
        module = MODELS[name](noise=LAYERS["log_normal"])
        logits, z, rate = noisy(module, 0)(x)
        (logits.sum() + z.square().sum() + rate.sum()).backward()
        found.append([logits, z, rate, *(each.grad for each in module.parameters())])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_an_all_convolutional_net_has_the_published_layers() -> None:
    """3 x 3 to 96, 96, 96 with stride 2, 192, 192, 192 with stride 2, 192, and 1 x 1 to 192 and 10;
    p halves the filters.
    """
    shapes = {}
    for share in (1.0, 0.5):
        settings = CNN | {"channels": [96, 192], "filter_percentage": share, "noise": Noiseless}
        layers = AllConvolutional((3, 32, 32), 10, **settings).modules()
        shapes[share] = [
            (layer.out_channels, layer.kernel_size[0], layer.stride[0])
            for layer in layers
            if isinstance(layer, nn.Conv2d)
        ]
    assert shapes[1.0] == [
        *((96, 3, 1), (96, 3, 1), (96, 3, 2), (192, 3, 1), (192, 3, 1), (192, 3, 2)),
        *((192, 3, 1), (192, 1, 1), (10, 1, 1)),
    ]
    assert [width for width, _, _ in shapes[0.5]] == [48, 48, 48, 96, 96, 96, 96, 96, 10]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: BinaryDropout(linear(), keep=0.0),
            "keep must be a probability above 0, 1 for no dropout, got 0.0",
        ),
        (
            lambda: InformationDropout(linear(), prior="log_uniform", max_alpha=0.0),
            "max_alpha must be positive, got 0.0; model/noise=none has no noise",
        ),
        (
            lambda: MODELS["mlp"](noise=Noiseless, hidden=[0]),
            r"hidden must list positive widths, got \[0\]",
        ),
        (
            lambda: MODELS["mlp"](noise=Noiseless, bottleneck=0),
            "bottleneck must be 1 or more, got 0",
        ),
        (
            lambda: MODELS["mlp"](noise=Noiseless, additive=-1.0),
            "additive must be 0 or more, got -1.0",
        ),
        (
            lambda: MODELS["mlp"](noise=Noiseless, propagated=-1),
            "propagated must be 0 or more, got -1",
        ),
        (
            lambda: MODELS["cnn"](noise=Noiseless, channels=[]),
            r"channels must list at least one positive width, got \[\]",
        ),
        (
            lambda: MODELS["cnn"](noise=Noiseless, filter_percentage=0.0),
            "filter_percentage must be a positive share",
        ),
    ],
)
def test_wrong_settings_are_refused_by_name(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
