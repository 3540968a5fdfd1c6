"""Configuration files from elsewhere, as a stranger could send them: none runs code, reads an
address or touches a file, and each ends in one readable line.
"""

import json
import os
import pickle
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from infobound.launcher import launch
from tests.conftest import SMALL, TARGET, Ended

Command = Callable[..., Ended]
SECRET = "8f1c0a"


class Payload:
    """Make the folder `ran` when a pickle is opened."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(Path("ran").absolute()),)


READ = f"{{{TARGET}: pandas.read_pickle, filepath_or_buffer: payload.pkl}}"
MAKE = f"{{{TARGET}: os.mkdir, path: ran}}"
RUNS = "infobound.runners.runs"
SWEPT = "hydra:\n  mode: MULTIRUN\n"
REPORTED = {
    "allows_itself": f"allow_targets: [pandas]\ncritic: {READ}",
    "callback": f"hydra: {{callbacks: {{x: {READ}}}}}",
    "callback_unpickles": f"hydra: {{callbacks: {{x: {{{TARGET}: torch.load, f: payload.pkl}}}}}}",
    "logging_factory": "hydra: {job_logging: {handlers: {x: {'()': os.mkdir, path: ran}}}}",
    "launcher_argument": f"{SWEPT}  launcher: {{workers: {READ}}}",
    "environment": "hydra: {job: {env_set: {LD_PRELOAD: somewhere.so, PYTHONPATH: elsewhere}}}",
    "tells_a_secret": "defaults: [{override /dataset: arrays}]\ndataset:\n"
    '  {path: "http://127.0.0.1:9/${oc.env:SECRET}.csv", x_columns: [a], y_columns: [b]}',
    "created_target": f'critic: "${{oc.create:{READ}}}"',
    "own_private": f"critic: {{{TARGET}: {RUNS}.run_directory.RunDirectory._clear, self: x}}",
}
"""Files of experiments from a report."""
OTHERS = {
    "not_yaml": f"critic: ${{oc.create:{READ}}}",
    "a_tag": "critic: !!python/object/apply:os.mkdir [ran]",
    "many_aliases": "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]" for a, b in pairwise("abcdefg")),
    "deep": f"critic: {'[' * 3000}{']' * 3000}",
    "no_runner": "runner: null",
    "commands_a_terminal": 'critic: {"\\e[2J": 1}',
    "overrides": "hydra: {overrides: {task: ['allow_targets=[os]'], hydra: []}}",
    "overrides_swept": f"{SWEPT}  sweeper: {{params: {{allow_targets: '[os],[pandas]'}}}}",
    "shell_of_a_cluster": "defaults: [{override /hydra/launcher: slurm}]\n"
    f"{SWEPT}  launcher: {{submission: {{slurm_setup: [mkdir ran]}}}}",
    "behind_the_launcher": f"defaults: [{{override /hydra/launcher: ray}}]\nthreads: {MAKE}\n"
    f"{SWEPT}",
    "lines_of_a_name": "defaults: [{override /hydra/launcher: slurm}]\n"
    f"{SWEPT}  sweeper: {{params: {{precision: \"'fp32\\nmkdir ran #'\"}}}}",
    "behind_the_sweep": f"critic: {MAKE}\nsweep: {{grace: '${{critic}}'}}\n{SWEPT}",
    "log_file": "hydra: {hydra_logging: {root: {handlers: [x]}, handlers:"
    " {x: {class: logging.FileHandler, filename: mine.txt, mode: w}}}}",
    "written": f"critic: {{{TARGET}: {RUNS}.checkpoint.write_atomically, path: mine.txt}}",
    "function": f"critic: {{{TARGET}: infobound.datasets.images.mnist.read, data_dir: ran}}",
    "forced": "name: mine\nforce: true",
    "page": "defaults: [{override /runner: report}]\n"
    "runner: {source: outputs, page: mine.txt, block: x}",
    "decoded": 'name: "${oc.decode:${oc.env:SECRET}}"',
    "named_resolver": 'device: env\nname: "${oc.${device}:SECRET}"',
    "address": "defaults: [{override /dataset: arrays}]\ndataset:\n"
    "  {path: 'http://127.0.0.1:9/a.csv', x_columns: [a], y_columns: [b]}",
}
"""One of every other kind."""
FURTHER = {
    "an_alias_in_itself": "critic: &a [*a]",
    "long": f"critic: {'x' * 300_000}",
    "a_list": "- critic",
    "a_loop": "seed: ${replicates}\nreplicates: ${seed}",
    "hydra_swept": f"{SWEPT}  sweeper: {{params: {{hydra.job.env_set.A: b, seed: '1,2'}}}}",
    "flag_swept": f"{SWEPT}  sweeper: {{params: {{'--multirun': ran}}}}",
    "target_swept": f"{SWEPT}  sweeper: {{params: {{seed: {MAKE}}}}}",
    "cluster_of_a_stranger": "defaults: [{override /hydra/launcher: ray}]\n"
    f"{SWEPT}  launcher: {{address: 'ray://127.0.0.1:9'}}",
    "lines_of_a_script": "defaults: [{override /hydra/launcher: slurm}]\n"
    f'threads: "1\\nmkdir ran #"\n{SWEPT}',
    "sampler": f"defaults: [{{override /hydra/sweeper: optuna}}]\n{SWEPT}"
    f"  sweeper: {{sampler: {MAKE}, params: {{seed: 'choice(1,2)'}}}}",
    "storage": f"defaults: [{{override /hydra/sweeper: optuna}}]\n{SWEPT}"
    "  sweeper: {storage: 'sqlite:///ran'}",
    "opened": f"critic: {{{TARGET}: builtins.open, file: mine.txt, mode: w}}",
    "board": f"critic: {{{TARGET}: {RUNS}.board.Board, path: ran, step: null}}",
    "run_elsewhere": "hydra: {run: {dir: ran}}",
    "name_elsewhere": "name: ../ran",
    "downloads": "defaults: [{override /dataset: mnist_halves}]\ndataset: {data_dir: ran}",
    "chosen_by_secret": 'defaults: [{override /critic: "${oc.env:SECRET}"}]',
    "copied_environment": "hydra: {job: {env_copy: [SECRET]}}",
    "address_allowed": "defaults: [{override /dataset: arrays}]\ndataset: {remote: true}",
}
"""More of some kinds."""
FILES = {**REPORTED, **OTHERS, **FURTHER}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in FURTHER]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file and a run of the user's, and a folder `theirs` with the files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", SECRET)
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    for name, text in FILES.items():
        file = tmp_path / "theirs" / "experiment" / f"{name}.yaml"
        file.write_text(f"# @package _global_\n{text}\n")
    (tmp_path / "payload.pkl").write_bytes(pickle.dumps(Payload()))
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "outputs" / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "outputs" / "runs" / "mine" / "result.json").write_text("{}")
    return tmp_path


@pytest.fixture
def told(here: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> Command:
    """`told("seed=1")` is `python run.py seed=1` in that folder, with the usual settings."""

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = launch([*arguments])
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return call


def content(folder: Path) -> Mapping[Path, bytes | None]:
    return {each: each.read_bytes() if each.is_file() else None for each in folder.rglob("*")}


def assert_refused(ended: Ended, here: Path, before: Mapping[Path, bytes | None]) -> None:
    assert ended.code == 2
    assert ended.err.startswith("refused: ")
    assert ended.err.count("\n") == 1
    assert len(ended.err) < 500
    assert SECRET not in ended.out + ended.err
    assert content(here) == before


@pytest.mark.parametrize("name", [*REPORTED, *OTHERS, *SLOW])
def test_a_file_from_elsewhere_runs_no_code(name: str, told: Command, here: Path) -> None:
    before = content(here)
    assert_refused(told("--config-dir=theirs", f"experiment={name}"), here, before)


@pytest.mark.parametrize(
    "arguments",
    [
        ["experiment=UPHERE/theirs/experiment/allows_itself"],
        ["--config-path=HERE/theirs", "--config-name=experiment/allows_itself"],
        ["--config-dir=theirs", "--config-name=primary"],
        ["hydra.searchpath=[file://HERE/theirs]", "experiment=allows_itself"],
        ["-m", "--config-dir=theirs", "experiment=plain,forced"],
        ["--config-dir=theirs", "hydra/launcher=theirs"],
        ["--experimental-rerun=payload.pkl"],
        ["hydra.callbacks.x._target_=os.mkdir"],
        ["+hydra.launcher.x={_target_: os.mkdir, path: ran}"],
        ["+hydra.job_logging.handlers.x={class: logging.FileHandler, filename: ext://os.environ}"],
        ["--config-dir=theirs", "--cfg=job", "experiment=allows_itself"],
    ],
)
def test_no_way_to_a_file_runs_code(arguments: list[str], told: Command, here: Path) -> None:
    up = "/".join([".."] * 20)
    (here / "theirs" / "primary.yaml").write_text("hydra: {searchpath: ['pkg://this']}\n")
    (here / "theirs" / "experiment" / "plain.yaml").write_text("# @package _global_\nseed: 3\n")
    (here / "theirs" / "hydra" / "launcher").mkdir(parents=True)
    (here / "theirs" / "hydra" / "launcher" / "theirs.yaml").write_text(f"{TARGET}: os.mkdir\n")
    before = content(here)
    placed = [each.replace("UP", up).replace("HERE", str(here)) for each in arguments]
    assert_refused(told(*placed), here, before)


@pytest.mark.parametrize(
    "override",
    ["--experimental-rerun=payload.pkl", "--config-dir=theirs", "seed=${oc.decode:1}"],
)
def test_a_run_from_elsewhere_adds_no_flag(override: str, told: Command, here: Path) -> None:
    run = here / "outputs" / "runs" / "mine"
    result = {"status": "completed", "overrides": [override], "metrics": {}, "summary": ""}
    (run / "result.json").write_text(json.dumps(result))
    (run / "checkpoint.pt").write_bytes(b"")
    before = content(here)
    assert_refused(told(f"runner.load={run}"), here, before)


def test_a_file_from_elsewhere_chooses_and_sets_parts(told: Command, here: Path) -> None:
    file = here / "theirs" / "experiment" / "plain.yaml"
    file.write_text(
        "# @package _global_\n"
        "defaults: [{override /critic: concat}]\n"
        "seed: 3\n"
        "replicates: ${seed}\n"
        f"hydra: {{callbacks: {{x: {{{TARGET}: hydra.experimental.callback.Callback}}}}}}\n"
    )
    ended = told(
        "--config-dir=theirs",
        "experiment=plain",
        *(each for each in SMALL if each != "critic.embed=4"),
        "name=plain",
        "allow_targets=[hydra.experimental.callback]",
        "+hydra.job.env_set.MINE=1",
    )
    assert ended.code == 0
    config = (here / "outputs" / "runs" / "plain" / ".hydra" / "config.yaml").read_text()
    assert "seed: 3" in config
    assert "critics.dense.Concat" in config


def test_our_own_file_comes_before_one_of_its_name(told: Command, here: Path) -> None:
    (here / "theirs" / "critic").mkdir()
    (here / "theirs" / "critic" / "separable.yaml").write_text(f"{TARGET}: os.mkdir\n")
    ended = told("--config-dir=theirs", "--cfg=job")
    assert ended.code == 0
    assert "os.mkdir" not in ended.out


def test_addresses_are_read_if_the_command_line_says_so(told: Command, here: Path) -> None:
    file = here / "pairs.csv"
    file.write_text("a,b\n" + "\n".join(f"{i * 7 % 31},{i * 11 % 29}" for i in range(200)))
    pairs = ["dataset=arrays", "dataset.x_columns=[a]", "dataset.y_columns=[b]", "estimator=ksg"]
    assert told(*pairs, f"dataset.path=file://{file}").code == 2
    assert told(*pairs, f"dataset.path=file://{file}", "dataset.remote=true").code == 0
