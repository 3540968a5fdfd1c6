"""The README's examples run as they stand, with few steps; what it says about defaults is so."""

import re
import shlex
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

import run
from infobound.runners.estimate import from_python

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


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the README's example data come with scikit-learn")
    monkeypatch.chdir(tmp_path)
    exec(PYTHON[0], {})
    for command in COMMANDS:
        arguments = shlex.split(command)[2:]
        few = [] if "runner=report" in arguments else FEW
        assert run.launch([*arguments, *few]) == 0, command
    assert (tmp_path / "outputs/sweeps/grid/summary.csv").read_text().count("completed") == 12


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 2))
    np.savez(tmp_path / "pairs.npz", x=x, y=x + generator.normal(size=x.shape))
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec(PYTHON[1].replace('pairs["y"])', 'pairs["y"], steps=100, batch_size=128)'), scope)
    assert 0 < scope["value"] < 1.2
    assert 0 < scope["stderr"] < 0.5


def test_python_defaults_are_those_of_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("config", ["experiment=my_data", "dataset.path=unused"])
    settings: dict[str, Any] = instantiate(
        {**cfg.runner, "_target_": "builtins.dict", "dataset": None}, _convert_="all"
    )
    seen: dict[str, Any] = {}

    class Stop(Exception):
        pass

    def note(**arguments: Any) -> None:
        seen.update(arguments)
        raise Stop

    monkeypatch.setattr(from_python, "Estimate", note)
    with pytest.raises(Stop):
        from_python.estimate_mutual_information(np.arange(9), np.arange(9))
    pairs = seen.pop("dataset")
    for part in ("optimisation", "cadence", "execution", "evaluation"):
        seen |= vars(seen.pop(part))
    for name in ("validation", "test", "folds", "transform"):
        assert getattr(pairs, name) == cfg.dataset[name], name
    for name, value in seen.items():
        given = settings[name]
        if isinstance(value, partial):
            assert given.func is value.func, name
            assert {key: str(given.keywords[key]).strip("[]()") for key in value.keywords} == {
                key: str(each).strip("[]()") for key, each in value.keywords.items()
            }
        elif name == "estimator":
            assert type(given) is type(value)
        elif name not in ("log_every", "eval_batches", "checkpoint_every", "checkpoint_seconds"):
            assert given == value, name


def test_python_leaves_threads_and_signal_handlers_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        rows = np.random.default_rng(0).normal(size=(200, 1))
        from_python.estimate_mutual_information(rows, rows + 1, steps=20, batch_size=32)
        assert torch.get_num_threads() == 2
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        torch.set_num_threads(before)
        signal.signal(signal.SIGINT, handler)
