"""hydra/launcher=slurm on a real Slurm with one node: cancelled, preempted and orphaned jobs only
cost time.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hydra_plugins import launching
from tests.launchers.conftest import HANGING, PATIENCE, Sweep, until

SCRIPT = Path(__file__).with_name("slurm.sh")
HERE = shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") and find_spec("submitit")
SLURM = ["hydra/launcher=slurm", "hydra.launcher.poll_seconds=0.5"]
Command = Callable[..., Any]
Make = Callable[..., Sweep]

real = pytest.mark.skipif(
    not HERE, reason='needs Debian\'s slurm-wlm and munge, and pip install -e ".[slurm]"'
)


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """A Slurm whose commands this process and its children use."""
    folder = tempfile.mkdtemp(prefix="slurm")  # munge's socket needs a short path
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", f"{folder}/slurm.conf")
        try:
            subprocess.run(
                [SCRIPT, "start", folder, str(port)], check=True, stdin=subprocess.DEVNULL
            )
            yield
        finally:
            subprocess.run([SCRIPT, "stop", folder], check=True, stdin=subprocess.DEVNULL)
            shutil.rmtree(folder)


def queued(*fields: str) -> list[str]:
    """Slurm's state of each job that has not ended."""
    told = subprocess.run(
        ["squeue", "--noheader", f"--format={' '.join(fields)}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()


def number(job: Path) -> str:
    [found] = [
        line.partition(" ")[0]
        for line in queued("%i", "%j")
        if f" {job.name} of {job.parent}" in line
    ]
    return found


@real
@pytest.mark.slow
def test_cancelled_and_killed_jobs_affect_no_other_and_the_same_command_continues(
    slurm: None, sweep: Make, quiet: Sweep
) -> None:
    grid = sweep("seed=range(8)", *SLURM)
    launcher = grid.begun()
    until(lambda: grid.training(3))
    subprocess.run(["scancel", number(grid.job(3))], check=True)
    until(lambda: grid.training(5))
    grid.kill(5)
    told, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 3, told
    assert (
        grid.statuses()
        == ["completed"] * 3 + ["interrupted", "completed", "failed"] + ["completed"] * 2
    )
    assert "it was killed by SIGKILL" in told
    assert (grid.job(3) / "checkpoint.pt").is_file()
    code, told = grid.run()
    assert code == 0, told
    assert "6 of them completed before" in told
    for seed in range(8):
        assert grid.metrics(seed) == quiet.metrics(seed)
        assert grid.completions(seed) == 1


@real
@pytest.mark.slow
@pytest.mark.parametrize("warning", ["USR2", "TERM"])
def test_a_preempted_job_is_requeued_and_resumes(
    slurm: None, sweep: Make, quiet: Sweep, warning: str
) -> None:
    """Slurm announces the end of a job's time by SIGUSR2, as submitit requests, and a preemption by
    SIGTERM.
    """
    grid = sweep("seed=0", *SLURM)
    launcher = grid.begun()
    until(lambda: grid.training(0))
    slurms = number(grid.job(0))
    subprocess.run(["scancel", f"--signal={warning}", slurms], check=True)
    until(lambda: queued("%i", "%T") == [f"{slurms} PENDING"])
    subprocess.run(
        ["scontrol", "update", f"JobId={slurms}", "StartTime=now+2"], check=True
    )  # otherwise in two minutes
    told, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 0, told
    shown = subprocess.run(
        ["scontrol", "show", "job", slurms], capture_output=True, text=True, check=True
    ).stdout
    assert "Restarts=1 " in shown
    assert "interrupted; the same command" in (grid.job(0) / "run.log").read_text()
    assert grid.metrics(0) == quiet.metrics(0)


@real
@pytest.mark.slow
def test_jobs_outlive_a_killed_launcher_and_are_not_done_twice(
    slurm: None, sweep: Make, quiet: Sweep
) -> None:
    grid = sweep("seed=range(4)", *SLURM)
    launcher = grid.begun()
    until(lambda: grid.training(0))
    launcher.kill()
    launcher.communicate()
    assert len(queued("%i")) > 1
    code, told = grid.run()
    assert code == 0, told
    assert grid.statuses() == ["completed"] * 4
    assert [
        (grid.metrics(seed) == quiet.metrics(seed), grid.completions(seed)) for seed in range(4)
    ] == [(True, 1)] * 4


@real
@pytest.mark.slow
def test_an_interrupted_launcher_cancels_its_jobs(slurm: None, sweep: Make, quiet: Sweep) -> None:
    grid = sweep("seed=range(4)", *SLURM)
    launcher = grid.begun()
    until(lambda: grid.training(0))
    launcher.send_signal(signal.SIGINT)
    told, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 130, told
    assert queued("%i") == []
    assert grid.statuses()[0] == "interrupted"
    code, told = grid.run()
    assert code == 0, told
    assert [grid.metrics(seed) for seed in range(4)] == [quiet.metrics(seed) for seed in range(4)]


@real
@pytest.mark.slow
def test_a_hanging_job_is_killed(slurm: None, sweep: Make) -> None:
    code, told = sweep("seed=0", *SLURM, *HANGING).run()
    assert code == 3
    assert "it took longer than sweep.job_timeout=10 seconds" in told


@real
@pytest.mark.slow
def test_a_job_that_slurm_refuses_fails_with_its_message(slurm: None, sweep: Make) -> None:
    code, told = sweep("seed=0", *SLURM, "hydra.launcher.submission.slurm_partition=nowhere").run()
    assert code == 3
    assert "Slurm refused the job: sbatch: error: invalid partition specified: nowhere" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hydra.launcher.slots=0"], "hydra.launcher.slots must be a positive integer, got 0"),
        (["hydra.launcher.poll_seconds=0"], "hydra.launcher.poll_seconds must be positive, got 0"),
        (
            ["hydra.launcher.submission.timeout_min=1"],
            "slurm_signal_delay_s must be shorter than timeout_min",
        ),
    ],
)
def test_wrong_settings_are_refused(
    arguments: list[str], words: str, command: Command, tmp_path: Path
) -> None:
    ended = command("-m", "hydra/launcher=slurm", *arguments)
    assert (ended.code, words in ended.err, list(tmp_path.iterdir())) == (2, True, []), ended.err


@real
def test_an_unknown_parameter_of_submitit_is_refused(command: Command, tmp_path: Path) -> None:
    ended = command("-m", "hydra/launcher=slurm", "+hydra.launcher.submission.slurm_partitoin=gpu")
    assert ended.code == 2
    assert "hydra.launcher.submission: " in ended.err
    assert "partitoin" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_without_submitit_the_error_says_what_to_install(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    ended = command("-m", "hydra/launcher=slurm")
    assert (ended.code, ended.err) == (
        2,
        "refused: hydra/launcher=slurm needs submitit; pip install submitit\n",
    )
    assert list(tmp_path.iterdir()) == []
