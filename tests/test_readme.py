"""The README's examples run unchanged with few steps, and the README fits a few screens."""

import re
import shlex
from pathlib import Path
from typing import Any

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
}
"""The README's sweep, and a smaller one here, because each job is a process."""


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the README's example data come with scikit-learn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "png", drawn_once)
    scope: dict[str, Any] = {}
    for text in PYTHON:
        exec(text.replace("estimate(left, right)", "estimate(left, right, steps=20)"), scope)
    assert scope["result"].interval[0] < scope["result"].mi < scope["result"].interval[1]
    for command in COMMANDS:
        arguments = [FEWER.get(each, each) for each in shlex.split(command)[2:]]
        few = [] if "runner=report" in arguments else FEW
        assert run.launch([*arguments, *few]) == 0, command
    assert (tmp_path / "outputs/sweeps/grid/summary.csv").read_text().count("completed") == 4


def test_it_fits_a_few_screens_and_begins_with_its_two_commands() -> None:
    assert len(README.splitlines()) <= 150
    assert BLOCKS[0] == (
        "",
        "pip install -c constraints.txt -e . && python run.py\n"
        'pip install -c constraints.txt -e ".[dev]" && pytest\n',
    )
