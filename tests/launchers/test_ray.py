"""hydra/launcher=ray with a real Ray on this machine: a killed worker only fails its own job."""

import signal
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hydra_plugins import launching
from tests.launchers.conftest import HANGING, PATIENCE, Sweep, until

RAY = ["hydra/launcher=ray"]
Command = Callable[..., Any]
Make = Callable[..., Sweep]

real = pytest.mark.skipif(not find_spec("ray"), reason='needs pip install -e ".[ray]"')


@real
@pytest.mark.slow
def test_a_killed_worker_only_fails_its_job_and_the_same_command_continues(
    sweep: Make, quiet: Sweep
) -> None:
    grid = sweep("seed=range(4)", *RAY)
    launcher = grid.begun()
    until(lambda: grid.training(1))
    grid.kill(1)
    told, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 3, told
    assert grid.statuses() == ["completed", "failed", "completed", "completed"]
    assert "Ray says: The worker died unexpectedly" in told
    code, told = grid.run()
    assert code == 0, told
    assert "3 of them completed before" in told
    for seed in range(4):
        assert grid.metrics(seed) == quiet.metrics(seed)
        assert grid.completions(seed) == 1


@real
@pytest.mark.slow
def test_an_interrupted_launcher_has_its_jobs_write_checkpoints(sweep: Make, quiet: Sweep) -> None:
    grid = sweep("seed=range(2)", *RAY, "hydra.launcher.slots=2", "hydra.launcher.num_cpus=0.5")
    launcher = grid.begun()
    until(lambda: grid.training(0))
    launcher.send_signal(signal.SIGINT)
    told, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 130, told
    assert grid.statuses()[0] == "interrupted"
    assert (grid.job(0) / "checkpoint.pt").is_file()
    code, told = grid.run()
    assert code == 0, told
    assert [grid.metrics(seed) for seed in range(2)] == [quiet.metrics(seed) for seed in range(2)]


@real
@pytest.mark.slow
def test_a_hanging_job_is_killed(sweep: Make) -> None:
    code, told = sweep("seed=0", *RAY, *HANGING).run()
    assert code == 3
    assert "it took longer than sweep.job_timeout=10 seconds" in told


@real
@pytest.mark.slow
def test_a_job_that_fits_nowhere_is_refused(sweep: Make) -> None:
    code, told = sweep("seed=0", *RAY, "hydra.launcher.num_gpus=99").run()
    assert code == 2
    assert (
        "refused: hydra.launcher.num_gpus must leave room for a job, got 99, but Ray has " in told
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["hydra.launcher.slots=0"],
            "hydra.launcher.slots must be a positive integer or null, got 0",
        ),
        (
            ["hydra.launcher.num_cpus=0"],
            "hydra.launcher.num_cpus must be positive and num_gpus 0 or more, got 0 and 0",
        ),
    ],
)
def test_wrong_settings_are_refused(
    arguments: list[str], words: str, command: Command, tmp_path: Path
) -> None:
    ended = command("-m", *RAY, *arguments)
    assert (ended.code, words in ended.err, list(tmp_path.iterdir())) == (2, True, []), ended.err


def test_without_ray_the_error_says_what_to_install(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    ended = command("-m", *RAY)
    assert (ended.code, ended.err) == (
        2,
        "refused: hydra/launcher=ray needs ray; pip install ray\n",
    )
    assert list(tmp_path.iterdir()) == []
