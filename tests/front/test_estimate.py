"""`infobound.estimate` gives the command line's result, and does not change the process."""

import json
import signal
import threading
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase
from torch import Tensor, nn

import infobound as ib
import run
from infobound.conf.choices import CONFIGURATIONS, options
from infobound.estimators.base import Kind, SampleEstimate
from infobound.models.critics.scores import Scores, from_matrix
from infobound.runners.training.readings import BEST

FEW = {"steps": 4, "overrides": ["runner.batch_size=16", "runner.eval_every=2"]}
"""Settings of a short training."""
SMALL = ["runner.batch_size=4", "runner.eval_batch_size=4"]
LOSSES = {"n_pair", "triplet"}


def pairs(rows: int = 90, columns: int = 2) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(0)
    x = source.normal(size=(rows, columns))
    return x, x + source.normal(size=x.shape)


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({}, []),
        ({"estimator": "ksg"}, ["estimator=ksg", "critic=none"]),
        ({"estimator": "club"}, ["estimator=club", "critic=conditional_gaussian"]),
        (
            {"estimator": "nwj", "critic": "separable", "seed": 3},
            ["estimator=nwj", "critic=separable", "seed=3"],
        ),
    ],
    ids=["default", "ksg", "club", "nwj"],
)
def test_it_reads_what_the_command_line_reads_to_the_last_digit(
    settings: dict[str, Any],
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, y = pairs()
    np.savez(tmp_path / "pairs.npz", x=x, y=y)
    monkeypatch.chdir(tmp_path)
    result = ib.estimate(x, y, **settings, **FEW)
    common = ["experiment=my_data", "dataset.path=pairs.npz", "hydra.run.dir=out", "runner.steps=4"]
    assert run.launch([*common, *FEW["overrides"], *command]) == 0
    assert result.metrics == json.loads(Path("out/result.json").read_text())["metrics"]
    lines = Path("out/metrics.jsonl").read_text().splitlines()
    assert result.history == [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", sorted({*options("estimator")} - LOSSES))
def test_every_estimator_goes_by_its_name(name: str) -> None:
    few = {**FEW, "steps": 2}
    result = ib.estimate(*pairs(), estimator=name, **few)
    assert result.estimator.lower() == name.replace("_", "")
    assert result.interval[0] < result.mi < result.interval[1]
    assert (result.lower_bound is not None) == (result.kind in ("lower bound", BEST))


@pytest.mark.parametrize("name", sorted({*options("critic")} - {"none"}))
def test_every_critic_goes_by_its_name(name: str) -> None:
    x, y = (np.tile(each[:, :1, None, None], (8, 8)) for each in pairs())
    x, y = (each + 0.1 * np.random.default_rng(1).normal(size=each.shape) for each in (x, y))
    few = {"steps": 1, "overrides": ["runner.batch_size=16", "dataset.transform=standardise"]}
    result = ib.estimate(x, y, critic=name, **few)
    assert result.critic is not None
    assert len(result.critic) == 3


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_loss_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^estimator must give nats, got .*, a loss; use"):
        ib.estimate(*pairs(), estimator=name)


class Product(nn.Module):
    """f(x, y) = w x . y."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.1))

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        return from_matrix(self.weight * x @ y.mT)


class Nothing:
    kind: ClassVar[Kind] = "neither"

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        return SampleEstimate(0.0, 0.1)


def test_objects_may_replace_names() -> None:
    few = {"seed": 1, **FEW}
    named = ib.estimate(*pairs(), estimator="nwj", critic="separable", **few)
    given = ib.estimate(*pairs(), estimator=ib.estimators.NWJ(), critic=ib.models.Separable, **few)
    assert given.metrics == named.metrics
    assert ib.estimate(*pairs(), estimator=ib.estimators.KSG(k=3)).mi == (
        ib.estimate(*pairs(), estimator="ksg").mi
    )
    smaller = partial(ib.models.Separable, hidden=[4], embed=2)
    assert ib.estimate(*pairs(), critic=smaller, **few).mi != named.mi
    assert ib.estimate(*pairs(), estimator=ib.estimators.CLUB(), **few).kind == "upper bound"
    assert ib.estimate(*pairs(), estimator=Nothing()).estimator == "Nothing"


def test_a_network_is_copied_for_every_fold_and_stays_as_it_was() -> None:
    network = Product()
    result = ib.estimate(*pairs(), critic=network, **FEW)
    assert network.weight.item() == pytest.approx(0.1)
    assert result.critic is not None
    assert len({float(next(each.parameters())) for each in result.critic}) == 3


def test_a_plain_network_of_both_sides_is_a_critic() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    assert ib.estimate(*pairs(), critic=network, **FEW).lower_bound is not None


class OfImages(nn.Module):
    """Scores all pairs of images, which arrive in their original shape."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None] * y.mean((1, 2))


def test_a_network_sees_images_as_they_were_given() -> None:
    source = np.random.default_rng(0)
    x, y = source.normal(size=(90, 2, 3, 3)), source.normal(size=(90, 4, 4))
    assert ib.estimate(x, y, critic=OfImages(), **FEW).stderr > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": "ksgg"}, "estimator has no option ksgg; nearest: ksg"),
        ({"critic": "separabel"}, "critic has no option separabel; nearest: separable"),
        ({"overrides": ["runner.stepz=3"]}, "unknown key runner.stepz; nearest: runner.steps"),
        ({"overrides": ["runner.patience=many"]}, "runner.patience must be an integer or null"),
        ({"steps": 0}, "runner.steps must be a positive integer, got 0"),
        ({"device": "gpu"}, "device must be "),
        ({"overrides": ["dataset.validation=2"]}, "dataset.validation must be a positive share"),
        ({"overrides": ["dataset.path=a.npz"]}, "dataset.path must not be set here, got a.npz"),
        ({"overrides": ["dataset=drawn"]}, "dataset.joint must not be set here"),
        ({"overrides": ["runner=trust"]}, "runner must be estimate here"),
        ({"overrides": "steps=3"}, "overrides must be a list of settings, got 'steps=3'"),
        ({"overrides": ["steps"]}, "steps is not of the form key=value"),
        ({"estimator": "ksg", "critic": "separable"}, "critic must be none for KSG"),
        ({"estimator": "dv", "critic": "none"}, "critic must be one that gives scores, got none"),
        ({"estimator": ib.estimators.KSG}, "estimator must be the name of an option or an estima"),
        ({"critic": 3}, "critic must be the name of an option, a network or a function that"),
        (
            {"estimator": ib.estimators.MINE(), "overrides": ["estimator.alpha=0.1"]},
            "overrides must not change estimator, which was given as an object",
        ),
        ({"overrides": ["replicates=2"]}, "replicates must be 1 with dataset.folds"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:40],
)
def test_wrong_settings_are_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        ib.estimate(*pairs(), **settings)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def drawn_by_numpy() -> str:
    """The state of NumPy's global generator."""
    state: Any = np.random.get_state()
    return str(state[1].tolist())


def test_the_process_state_does_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(2)
    try:
        states = torch.get_rng_state(), drawn_by_numpy()
        ib.estimate(*pairs(), **FEW, threads=1)
        ib.estimate(*pairs(), estimator="ksg").p_value(9)
        assert torch.equal(states[0], torch.get_rng_state())
        assert states[1] == drawn_by_numpy()
        assert torch.get_num_threads() == 2
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert not [*tmp_path.iterdir()]
    finally:
        torch.set_num_threads(before)
        signal.signal(signal.SIGINT, handler)


def test_a_surrounding_hydra_application_does_not_change() -> None:
    asked = {
        "estimator": "ksg",
        "overrides": ["dataset.validation=0.11"],
    }  # no other test composes this
    with initialize_config_dir(str(CONFIGURATIONS), version_base="1.2"):
        hydra, version = GlobalHydra.instance().hydra, VersionBase.instance().version_base
        ib.estimate(*pairs(), **asked)
        with pytest.raises(ValueError, match="no option"):
            ib.estimate(*pairs(), estimator="none_such")
        assert GlobalHydra.instance().hydra is hydra
        assert VersionBase.instance().version_base is version
        assert compose("config", ["seed=4"]).seed == 4
    assert not GlobalHydra.instance().is_initialized()


def test_threads_estimate_beside_one_another() -> None:
    found: list[float] = []

    def work(seed: int) -> None:
        found.append(ib.estimate(*pairs(), estimator="ksg", seed=seed).mi)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(found) == 3


def warned(x: Any, y: Any, **settings: Any) -> tuple[Sequence[str], list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = ib.estimate(x, y, **settings)
    return result.warnings, [each for each in caught if each.category is ib.UntrustedEstimate]


def test_warnings_of_the_command_line_are_python_warnings_at_the_callers_line() -> None:
    x = np.random.default_rng(0).normal(size=(60, 1))
    few = {"steps": 20, "overrides": [*SMALL, "optimizer.lr=0.02"]}
    said, caught = warned(x, x, estimator="infonce", **few)
    assert said
    assert [str(each.message) for each in caught] == [*said]
    assert {each.filename for each in caught} == {__file__}
    assert warned(*pairs(), estimator="ksg") == ((), [])
