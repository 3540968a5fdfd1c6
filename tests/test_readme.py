"""The README's examples run as they stand, with few steps and jobs."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import run
from infobound.runners.runs import plots
from tests.conftest import drawn_once

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
    if line.startswith("python run.py")
]
FEW = [
    "runner.steps=20",
    "runner.eval_every=10",
    "runner.eval_batches=1",
    "runner.eval_batch_size=64",
    "critic.hidden=[8]",
]


FEWER = {
    "dataset.mutual_information=1,2,4": "dataset.mutual_information=1,2",
    "seed=range(2)": "seed=range(1)",
    "hydra.sweeper.trials=8": "hydra.sweeper.trials=2",
}
"""What is swept in the README, and what here."""


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the README's example data come with scikit-learn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "png", drawn_once)
    exec(PYTHON[0], {})
    for command in COMMANDS:
        arguments = [FEWER.get(each, each) for each in shlex.split(command)[2:]]
        few = [] if "runner=report" in arguments else FEW
        assert run.launch([*arguments, *few]) == 0, command
    assert (tmp_path / "outputs/sweeps/grid/summary.csv").read_text().count("completed") == 4


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 2))
    np.savez(tmp_path / "pairs.npz", x=x, y=x + generator.normal(size=x.shape))
    monkeypatch.chdir(tmp_path)
    few = 'pairs["y"], steps=100, overrides=["runner.batch_size=128"])'
    scope: dict[str, Any] = {}
    exec(PYTHON[1].replace('pairs["y"])', few), scope)
    assert 0 < scope["result"].mi < 1.2
    assert 0 < scope["result"].stderr < 0.5
