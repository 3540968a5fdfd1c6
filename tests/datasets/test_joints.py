"""Properties of every data set that samples pairs, checked for each file in conf/dataset."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from infobound.datasets.interfaces import Joint

CONFIGURATIONS = Path(__file__).parents[2] / "conf"


def samples_pairs(path: Path) -> bool:
    """Whether a data set samples pairs: tables have no sample(), modes also have held_out(), and
    labelled rows have pivots.
    """
    target = get_object(OmegaConf.select(OmegaConf.load(path), "_target_"))
    owner = getattr(target, "__self__", target)
    return hasattr(owner, "sample") and not (hasattr(owner, "held_out") or hasattr(owner, "pivots"))


NAMES = sorted(
    path.stem for path in (CONFIGURATIONS / "dataset").glob("*.yaml") if samples_pairs(path)
)
MAPS = sorted(path.stem for path in (CONFIGURATIONS / "dataset" / "map").glob("*.yaml"))


@cache
def dataset(*overrides: str) -> Joint:
    with initialize_config_dir(str(CONFIGURATIONS), version_base="1.3"):
        return instantiate(compose("config", list(overrides)).dataset, _convert_="all")


def draw(joint: Joint, size: int = 257, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return joint.sample(size, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_pairs_have_the_promised_shape_and_are_finite_float32(name: str) -> None:
    joint = dataset(f"dataset={name}")
    assert isinstance(joint, Joint)
    x, y = draw(joint)
    assert x.shape == (257, joint.dim_x)
    assert y.shape == (257, joint.dim_y)
    for side in x, y:
        assert side.dtype == torch.float32
        assert side.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_pairs_come_only_from_the_generator(name: str) -> None:
    joint = dataset(f"dataset={name}")
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr]
    first, again, other = draw(joint), draw(joint), draw(joint, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_second_call_continues_the_stream(name: str) -> None:
    joint, generator = dataset(f"dataset={name}"), torch.Generator().manual_seed(0)
    first, second = joint.sample(64, generator), joint.sample(64, generator)
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_a_number_of_nats(name: str) -> None:
    truth = dataset(f"dataset={name}").mutual_information
    assert truth is not None
    assert 0 <= truth < 20


@pytest.mark.parametrize("name", MAPS)
def test_each_map_composes_on_the_command_line(name: str) -> None:
    base = [
        "dataset=transformed",
        "dataset@dataset.base=bimodal_gaussians" if name == "swiss_roll" else "dataset.base.dim=3",
    ]
    x, _ = draw(dataset(*base, f"dataset/map@dataset.x_map={name}"))
    assert x.isfinite().all()


@pytest.mark.parametrize("name", ["correlated_gaussians", "student_t", "transformed", "noisy_ring"])
def test_independent_keeps_the_margins_and_loses_the_dependence(name: str) -> None:
    base = dataset(f"dataset={name}")
    independent = dataset("dataset=independent", f"dataset@dataset.base={name}")
    assert independent.mutual_information == 0
    x, y = draw(independent)
    paired = draw(base)
    assert torch.equal(x, paired[0])
    assert not torch.equal(y, paired[1])
