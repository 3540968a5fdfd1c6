"""Critics and estimators that see training rows before step 0; estimators as their YAML files build
them, also lifted.
"""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from infobound.estimators.base import Bound
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.measurement import Measurement
from infobound.estimators.tuba import TUBA
from infobound.models.critics.baselines import ConstantBaseline
from infobound.models.critics.dense import Bilinear
from infobound.models.critics.scores import Scores

CONF = Path(__file__).parents[2] / "conf"
FILES = {path.stem: path.read_text("utf-8") for path in (CONF / "estimator").glob("*.yaml")}
UNTRAINED = {name for name, text in FILES.items() if "critic: none" in text}
TRAINED = sorted({*FILES} - UNTRAINED)
DENSITIES = {
    "club",
    "leave_one_out",
    "barber_agakov",
    "variational_upper",
    "difference_of_entropies",
}
LOSSES = {"n_pair", "triplet"}
"""Losses, which are not bounds, and choose critics without weights."""
ROWS = torch.randn(2, 40, 2, generator=torch.Generator().manual_seed(0))


class Centred(nn.Module):
    """A critic that subtracts the mean of the rows that it has seen."""

    mean: Tensor

    def prepare(self, x: Tensor, y: Tensor) -> None:
        self.register_buffer("mean", x.mean(0))

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        return Scores(
            ((x - self.mean) * y).sum(1), ((x - self.mean) * y.roll(-1, 0)).sum(1, keepdim=True)
        )


def composed(*overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides))


def built(name: str, seed: int, *overrides: str) -> Measurement:
    cfg = composed(f"estimator={name}", *overrides)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        measurement = Measurement(instantiate(cfg.critic)(2, 2), instantiate(cfg.estimator))
        measurement.prepare(*ROWS)
    return measurement


def test_both_parts_are_shown_the_rows() -> None:
    measurement = Measurement(Centred(), TUBA(baseline=ConstantBaseline))
    measurement.prepare(*ROWS)
    assert {name for name, _ in measurement.named_buffers()} == {"critic.mean", "scale"}
    assert {name for name, _ in measurement.named_parameters()} == {"estimator.baseline.constant"}


def test_parts_that_need_no_rows_do_not_change() -> None:
    Measurement(Bilinear(2, 2), InfoNCE()).prepare(*ROWS)


@pytest.mark.parametrize("baseline", ["constant", "mlp", "gaussian"])
@pytest.mark.parametrize("name", ["tuba", "interpolated"])
def test_a_baseline_is_chosen_by_name(name: str, baseline: str) -> None:
    assert built(name, 0, f"estimator/baseline={baseline}")(*ROWS).value.isfinite()


@pytest.mark.parametrize("name", sorted({*TRAINED} - LOSSES))
def test_lifted_copies_read_and_learn_like_single_ones(name: str) -> None:
    modules = [built(name, seed) for seed in range(2)]
    x, y = ROWS[0].view(2, 20, 2), ROWS[1].view(2, 20, 2)

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], *pairs: Tensor) -> Bound:
        return functional_call(modules[0], (parameters, buffers), pairs)

    parameters, buffers = stack_module_state(modules)
    lifted = vmap(run)(parameters, buffers, x, y)
    lifted.fit.sum().backward()
    for index, module in enumerate(modules):
        alone = module(x[index], y[index])
        alone.fit.backward()
        for field, value in zip(lifted, alone, strict=True):
            torch.testing.assert_close(field[index], value)
        for key, parameter in module.named_parameters():
            gradient = parameters[key].grad
            assert parameter.grad is not None
            assert gradient is not None
            torch.testing.assert_close(gradient[index], parameter.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", sorted(DENSITIES))
def test_an_estimator_of_densities_chooses_its_critic_by_default(name: str) -> None:
    assert composed(f"estimator={name}").critic["_target_"].endswith("ConditionalGaussian")
    assert composed("critic=concat", f"estimator={name}").critic["_target_"].endswith("Concat")
    assert instantiate(composed(f"estimator={name}").estimator).scores == "log density"


@pytest.mark.parametrize("name", sorted(UNTRAINED))
def test_an_estimator_of_rows_chooses_no_critic_and_reads_rows(name: str) -> None:
    cfg = composed(f"estimator={name}")
    assert cfg.critic is None
    value, stderr = instantiate(cfg.estimator)(*ROWS)
    assert isinstance(value, float)
    assert stderr > 0


def test_an_estimator_says_what_it_bounds() -> None:
    kinds = {
        name: instantiate(composed(f"estimator={name}").estimator).kind
        for name in [*TRAINED, *UNTRAINED]
    }
    lower = {"dv", "mine", "nwj", "infonce", "tuba", "interpolated", "js", "remine", "flo"}
    upper = {"club", "leave_one_out", "variational_upper"}
    named = {"lower bound": lower, "upper bound": upper, "loss": LOSSES}
    assert kinds == {
        name: next((kind for kind, names in named.items() if name in names), "neither")
        for name in kinds
    }
