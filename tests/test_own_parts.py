"""Parts from a user's own module, with all kinds of annotations: they run, sweep, resume and report
like ours.
"""

import json
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import TARGET, Background, Ended

Command = Callable[..., Ended]

OWN = '''
from __future__ import annotations

import typing as t
from enum import Enum
from functools import partial
from pathlib import Path

import torch
from torch import nn

from infobound.models.critics.scores import from_matrix
from infobound.regularizers.base import Penalty, Terms

if t.TYPE_CHECKING:
    from somewhere import Unknown


class Shape(Enum):
    NARROW = 1
    WIDE = 2


class Net(nn.Module):
    """A classifier with nothing to set."""

    def __init__(self, features, logits):
        super().__init__()
        self.linear = nn.Linear(features, logits)

    def forward(self, x):
        return self.linear(x)


class Towers(nn.Module):
    """Two networks and an inner product, with settings of every kind."""

    def __init__(
        self, dim_x, dim_y, hidden: list, names: dict[str, int], shape: Shape = Shape.NARROW,
        notes: Path | None = None, between: t.Optional["Unknown"] = None, *layers, **kwargs,
    ):
        super().__init__()
        assert isinstance(shape, Shape) and (notes is None or isinstance(notes, Path))
        if kwargs.pop("fail", False):
            raise ValueError("it was asked to")
        assert kwargs.keys() <= {"gain"}
        width = hidden[0] * shape.value
        self.x = nn.Sequential(nn.Linear(dim_x, width), nn.ReLU(), nn.Linear(width, names["out"]))
        self.y = nn.Sequential(nn.Linear(dim_y, width), nn.ReLU(), nn.Linear(width, names["out"]))
        self.gain = kwargs.get("gain", 1.0)

    def forward(self, x, y):
        return from_matrix(self.gain * self.x(x) @ self.y(y).T)


class Shrink(Penalty):
    """The mean square of the representation."""

    quantity = "size"

    def __init__(self, rows, **settings: float):
        nothing = partial(torch.optim.SGD, lr=0.0)
        super().__init__(("representation",), settings["weight"], nothing, 1)

    def terms(self, exposed):
        size = exposed["representation"].square().mean()
        return Terms(torch.zeros_like(size), size, size.detach())
'''
RUNNER = '''
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

import torch
from torch import nn

from infobound.datasets.interfaces import Joint
from infobound.errors import SettingError
from infobound.runners.runs.metrics import Quantity
from infobound.runners.training.batches import FreshBatches
from infobound.runners.training.randomness import generator
from infobound.runners.training.runner import Runner
from infobound.runners.training.task import Task


class Fitting(Task):
    """Copies of a line through pairs."""

    def __init__(self, runner: Fit) -> None:
        at, own = runner.execution, runner.optimisation
        self.joint, self.device = runner.dataset, at.place
        batches = FreshBatches(
            lambda _: runner.dataset, batch_size=own.batch_size, seed=at.seed,
            replicates=at.replicates, device=at.place,
        )
        x, y = batches.look(0)
        networks = at.ensemble(lambda _: nn.Linear(x.shape[1], y.shape[1]), average=own.average)
        self.parts = {"batches": batches, "line": own.player(networks)}

    def step(self) -> Mapping[str, torch.Tensor]:
        x, y = self.parts["batches"].draw()
        losses = (self.parts["line"](x) - y).square().mean((1, 2))
        self.parts["line"].descend(losses)
        return {"loss": losses.detach()}

    def evaluate(self, step: int) -> Mapping[str, Quantity]:
        return {"mse": self.residual("validation")}

    def read(self, step: int) -> Mapping[str, Quantity]:
        return {"mse": self.residual("test")}

    @torch.no_grad()
    def residual(self, split: str) -> Quantity:
        x, y = self.joint.sample(500, generator(self.device, 0, 0, split))
        copies = self.parts["line"].networks.replicates
        given = x.expand(copies, *x.shape) if copies > 1 else x
        errors = (self.parts["line"].read(given) - y).square().flatten(1).mean(1)
        return Quantity(errors.tolist())


@dataclass(frozen=True, kw_only=True)
class Fit(Runner[Fitting]):
    """Fits a line."""

    dataset: Joint
    notes: Optional[dict[str, list]] = None

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Joint):
            raise SettingError("dataset", "must be one to sample", type(self.dataset).__name__)

    @property
    def score(self) -> str:
        return "mse"

    def task(self) -> Fitting:
        return Fitting(self)

    def sentence(self, metrics: Mapping[str, Any]) -> str:
        return f"mean square {metrics['mse']:.3f}"
'''
FIT = """
defaults:
  - settings/training@_here_
  - _self_

_target_: own_runner.Fit
notes: {why: [1, two]}
"""
FITTED = [
    "--config-dir=mine/conf",
    "runner=fit",
    "critic=none",
    "allow_targets=[own_runner]",
    "runner.batch_size=16",
    "runner.log_every=5",
    "runner.eval_every=10",
    "runner.checkpoint_every=10",
    "optimizer.lr=0.01",
]
CRITIC = [
    "allow_targets=[own_parts]",
    "~critic",
    "+critic={_target_: own_parts.Towers, _partial_: true, hidden: [8], names: {out: 4},"
    " shape: WIDE, notes: a/b, gain: 0.5}",
]
SHRINK = [
    "runner=classify",
    "dataset=bit_patterns",
    "model.hidden=[8]",
    "model.bottleneck=4",
    "allow_targets=[own_parts]",
    "~regularizer",
    "+regularizer={_target_: own_parts.Shrink, _partial_: true, weight: 0.1}",
]


@pytest.fixture(autouse=True)
def _own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own module, which this process and its children find."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own_parts.py").write_text(OWN)
    (folder / "own_runner.py").write_text(RUNNER)
    (folder / "conf" / "runner").mkdir(parents=True)
    (folder / "conf" / "runner" / "fit.yaml").write_text(FIT)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def result(folder: str) -> dict[str, Any]:
    return json.loads((Path("outputs") / folder / "result.json").read_text())


def test_a_critic_with_any_annotations_is_trained(command: Command) -> None:
    assert command("name=a", *CRITIC).code == 0
    found = result("runs/a")
    assert found["status"] == "completed"
    assert isinstance(found["metrics"]["mi"], float)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("critic.hidden=8", "critic.hidden must be a list, got 8"),
        ("critic.shape=ROUND", "critic.shape must be NARROW or WIDE, got 'ROUND'"),
        ("critic.notes=3", "critic.notes must be a path or null, got 3"),
        ("+critic.fail=true", "critic: it was asked to"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(
    override: str, message: str, command: Command
) -> None:
    ended = command("name=a", *CRITIC, override)
    assert (ended.code, ended.err) == (2, f"refused: {message}\n")


def test_a_critic_is_swept_and_reported(command: Command) -> None:
    sweep = ["-m", "name=s", *CRITIC, "critic.gain=0.5,1"]
    assert command(*sweep).code == 0
    table = pd.read_csv("outputs/sweeps/s/summary.csv")
    assert sorted(table["critic.gain"]) == [0.5, 1.0]
    assert set(table["status"]) == {"completed"}
    report = ["runner=report", "runner.source=outputs/sweeps/s", "name=r"]
    assert command(*report).code == 0


def test_an_interrupted_run_resumes_exactly(
    command: Command, started: Callable[..., Background]
) -> None:
    longer = [*CRITIC, "runner.steps=250", "runner.checkpoint_every=20", "runner.eval_every=100"]
    process = started(*longer, name="a", lines=30)
    process.send(signal.SIGINT)
    assert process.ended().code == 130
    assert command(*longer, "name=a").code == 0
    assert command(*longer, "name=b").code == 0
    one, other = (Path(f"outputs/runs/{name}/metrics.jsonl").read_bytes() for name in "ab")
    assert one == other


def test_a_regularizer_that_takes_any_key_is_minimised_and_recorded(command: Command) -> None:
    small = ["runner.steps=4", "runner.log_every=1", "runner.eval_every=2", "runner.batch_size=16"]
    assert command("name=a", *SHRINK, *small).code == 0
    lines = map(json.loads, Path("outputs/runs/a/metrics.jsonl").read_text().splitlines())
    assert any("size" in line for line in lines)


def test_a_network_takes_the_place_of_one_of_this_project_by_the_command_that_is_offered(
    command: Command,
) -> None:
    line = [
        "runner=invariant",
        "allow_targets=[own_parts]",
        "critic=score_and_pivot",
        "dataset=bivariate",
        "runner.steps=2",
        "runner.eval_rows=200",
        "runner.test_rows=200",
        "runner.permutations=0",
    ]
    refused = command(*line, "name=a", f"model.{TARGET}=own_parts.Net")
    assert refused.code == 2
    assert "unknown key model.hidden" in refused.err
    offered = shlex.split(refused.err[refused.err.index("~model") :])[:2]
    assert offered == ["~model", "+model={_target_: own_parts.Net, _partial_: true}"]
    ended = command(*line, "name=a", *offered)
    assert ended.code == 0, ended.err


def test_a_runner_of_two_classes_and_a_file_trains_every_copy_and_reports(
    command: Command,
) -> None:
    ended = command(*FITTED, "name=a", "runner.steps=200", "replicates=2")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("mean square 0.")
    metrics = result("runs/a")["metrics"]
    assert len(metrics["mse_replicates"]) == 2
    assert command("runner=report", "runner.source=outputs/runs/a", "name=r").code == 0


def test_a_runner_of_ones_own_is_swept(command: Command) -> None:
    sweep = ["-m", *FITTED, "name=s", "runner.steps=10", "seed=0,1"]
    ended = command(*sweep)
    assert ended.code == 0, ended.err
    table = pd.read_csv("outputs/sweeps/s/summary.csv")
    assert set(table["status"]) == {"completed"}
    assert len(table["mse"].unique()) == 2


def test_a_run_of_ones_own_runner_resumes_exactly(command: Command) -> None:
    for name, steps in [("a", 30), ("a", 60), ("b", 60)]:
        assert command(*FITTED, f"name={name}", f"runner.steps={steps}").code == 0
    one, other = (Path(f"outputs/runs/{name}/metrics.jsonl").read_bytes() for name in "ab")
    assert one == other


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("runner.batch_size=1", "runner.batch_size must be at least 2, got 1"),
        ("runner.steps=null", "runner.steps must be a positive integer, got null"),
        ("+runner.stepz=3", "unknown key runner.stepz; nearest: steps"),
        ("runner.notes=3", "runner.notes must be a mapping or null, got 3"),
        ("dataset=ring", "dataset must be one to sample, got GaussianModes"),
    ],
)
def test_a_setting_of_ones_own_runner_is_refused_by_its_key(
    override: str, message: str, command: Command
) -> None:
    ended = command(*FITTED, override)
    assert ended.code == 2
    assert ended.err.startswith(f"refused: {message}")
