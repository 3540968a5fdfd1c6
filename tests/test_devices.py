"""Every runner trains and reads on a device that is not the CPU, for which no GPU is needed."""

import json
import math
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import nn

from infobound.conf import schema
from infobound.conf.choices import CONFIGURATIONS
from infobound.models.noise.gaussian_noise import Noise
from infobound.models.noise.interface import Block, Layers
from infobound.runners.runs.records import InMemory
from run import launch
from tests.elsewhere import elsewhere
from tests.models.test_noise_layers import LAYERS
from tests.runners.training.test_loading import TINY, save

INVARIANT = ["runner=invariant", *TINY["invariant"]]
OTHERS = [each for each in INVARIANT if not each.startswith("regularizer")]
GAME = "regularizer.critic_steps=1"
RUNS = {
    **{name: [f"runner={name}", *arguments] for name, arguments in TINY.items()},
    "staircase": ["runner=staircase", "dataset=staircase", "dataset.joint.dim=2"],
    "trust": ["runner=trust", "runner.permutations=9", "runner.consistency=false"],
    "table": [*OTHERS, "regularizer=minmax", "dataset=table", "dataset.path=rows.csv"],
    "adversary": [
        *OTHERS,
        "regularizer=adversary",
        "runner.pretrain=2",
        "runner.pretrain_critic=0",
    ],
    "jsd_gradient": [*OTHERS, "regularizer=jsd_gradient", GAME],
    "combined": [*OTHERS, "regularizer=combined", GAME],
    "mutual_information": ["runner=gan", *TINY["gan"], "regularizer=mutual_information"],
}
RUNS["staircase"] += ["dataset.levels=[1,2]", "dataset.steps=4", "runner.window=2"]
RUNS["staircase"] += ["critic.hidden=[8]"]
RUNS["trust"] += ["runner.steps=4", "runner.eval_every=2", "critic.hidden=[8]"]


def composed(*arguments: str) -> DictConfig:
    with initialize_config_dir(str(Path(CONFIGURATIONS).resolve()), version_base="1.3"):
        return compose("config", [*arguments])


NAMES = ("trained", "loaded")
QUICK = {"classify", "represent", "adversarial", "gan", "information_plane", "staircase"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in RUNS],
)
def test_a_run_is_on_its_device_alone(
    name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data_dir.parent)
    save("pairs.npz", 60, 0)
    rows = "".join(f"{i % 2},{i % 3},{i * 7 % 11}.5,{i * 5 % 13}\n" for i in range(600))
    Path("rows.csv").write_text(f"_label,_pivot_group,_pivot_mass,x\n{rows}")
    cfg = composed(*RUNS[name], f"data_dir={data_dir}")
    with elsewhere():
        outcome = schema.prepared(cfg)(InMemory())
    assert outcome.score is not None
    assert math.isfinite(outcome.score)


@pytest.mark.slow
@pytest.mark.parametrize("trained_elsewhere", [True, False])
def test_a_run_of_one_device_is_loaded_on_the_other(
    trained_elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save("pairs.npz", 60, 0)
    arguments = [*RUNS["estimate"], "seed=3"]
    trained, loaded = (
        (elsewhere(), nullcontext()) if trained_elsewhere else (nullcontext(), elsewhere())
    )
    with trained:
        assert launch([*arguments, "name=trained"]) == 0
    with loaded:
        assert launch([*arguments, "runner.load=outputs/runs/trained", "name=loaded"]) == 0
    found = [json.loads(Path(f"outputs/runs/{name}/result.json").read_text()) for name in NAMES]
    assert all(math.isfinite(each["metrics"]["mi"]) for each in found)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_a_noise_layer_is_on_its_device_alone(layers: Layers) -> None:
    with elsewhere() as device:
        module = layers(Block(partial(nn.Linear, 5), 4, nn.Softplus)).to(device).train()
        for layer in module.modules():
            if isinstance(layer, Noise):
                layer.generators = [torch.Generator(device)]
        z, rate = module(torch.ones(3, 5, device=device))
        (z.sum() + (0 if rate is None else rate.sum())).backward()
        assert {each.device for each in (z, *module.parameters())} == {device}


def test_tensors_of_two_devices_do_not_mix() -> None:
    with elsewhere() as device:
        here, there = torch.ones(3), torch.ones(3, device=device)
        for mixed in (
            lambda: here + there,
            lambda: torch.stack([here, there]),
            lambda: there @ here,
        ):
            with pytest.raises(RuntimeError, match="on the same device"):
                mixed()
        with pytest.raises(RuntimeError, match="generator of the device"):
            torch.randn(3, device=device, generator=torch.Generator())
        with pytest.raises(TypeError, match="convert"):
            there.numpy()
        assert (there * 2 + torch.tensor(1.0)).cpu().tolist() == [3, 3, 3]
