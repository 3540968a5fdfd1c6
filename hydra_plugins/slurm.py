"""hydra/launcher=slurm: the jobs of a sweep in the queue of a Slurm cluster."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.launching import SweepLauncher, checkout, require
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.processes import printing_into
from infobound.runners.runs.run_directory import LOG
from infobound.runners.runs.signals import interruptible
from infobound.runners.runs.sweep import Job
from infobound.runners.runs.written import Written

if TYPE_CHECKING:
    from submitit import AutoExecutor

WAITING = ("PENDING", "CONFIGURING")
OVER = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
)
"""Final states of a job; https://slurm.schedmd.com/squeue.html lists all states."""


class SlurmLauncher(SweepLauncher):
    """Keeps up to `slots` jobs in the queue, which it reads every `poll_seconds`; `submission` has
    submitit's parameters.

    A job whose time is up, or which is preempted, writes its checkpoint and goes back into the
    queue.
    """

    def __init__(self, slots: int, poll_seconds: float, submission: Written) -> None:
        if slots < 1:
            raise SettingError("hydra.launcher.slots", "must be a positive integer", slots)
        if not poll_seconds > 0:
            raise SettingError("hydra.launcher.poll_seconds", "must be positive", poll_seconds)
        warning, time_limit = submission["slurm_signal_delay_s"], submission["timeout_min"]
        if warning >= 60 * time_limit:
            raise SettingError(
                "hydra.launcher.submission.slurm_signal_delay_s",
                "must be shorter than timeout_min",
                f"{warning} s of {time_limit} min",
            )
        self._slots, self._poll_seconds, self._submission = slots, poll_seconds, submission

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        require("submitit", "slurm")
        if shutil.which("sbatch") is None:
            raise ConfigError(
                "hydra/launcher=slurm needs Slurm's commands, but there is no sbatch here"
            )
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._executor = _executor(self.folder, self._submission)

    @contextmanager
    def pool(self) -> Iterator["Queue"]:
        yield Queue(self._executor, self._slots, self._poll_seconds)


class Queue:
    """A pool of jobs that Slurm runs. They survive the launcher."""

    def __init__(self, executor: "AutoExecutor", slots: int, poll_seconds: float) -> None:
        self.slots = slots
        self._executor, self._poll_seconds, self._next_look = executor, poll_seconds, 0.0
        self._numbers: dict[Job, str] = {}
        self._states: Mapping[str, str] = {}

    def start(self, job: Job) -> None:
        """Submit a job under a unique name; Slurm runs one job with a name at a time.

        So it waits for a job that an earlier launcher left behind. Raises ConfigError if Slurm
        refuses it.
        """
        from submitit.core.utils import FailedJobError

        directory = job.directory.absolute()
        self._executor.update_parameters(
            name=f"{directory.name} of {directory.parent}", slurm_dependency="singleton"
        )
        try:
            number = self._executor.submit(Submitted(job.task(), directory)).job_id
        except FailedJobError as error:
            raise ConfigError(f"Slurm refused the job: {str(error).strip()}") from error
        self._numbers[job] = number
        self._states = {**self._states, number: "PENDING"}

    def ended(self, timeout: float) -> Mapping[Job, int | str]:
        time.sleep(timeout)
        if time.monotonic() < self._next_look:
            return {}
        self._next_look = time.monotonic() + self._poll_seconds
        states = _states()
        if states is None:
            return {}
        self._states = states
        over = [
            job for job, number in self._numbers.items() if states.get(number, "COMPLETED") in OVER
        ]
        return {job: _end(self._numbers.pop(job)) for job in over}

    def begun(self, job: Job) -> bool:
        return self._states.get(self._numbers[job]) not in WAITING

    def stop(self, job: Job, *, force: bool) -> None:
        """Cancel the job: Slurm sends SIGTERM, and SIGKILL if the job has not ended after
        KillWait.
        """
        if number := self._numbers.get(job):
            subprocess.run(["scancel", number], check=False)


@dataclass(frozen=True)
class Submitted:
    """A job's task inside a Slurm job."""

    task: Callable[[], int]
    directory: Path

    def __call__(self) -> None:
        """Run the task and exit with its code; if it was interrupted but not cancelled, ask to be
        requeued first.
        """
        printing_into(self.directory / LOG)
        with interruptible():
            code = self.task()
        number = os.environ["SLURM_JOB_ID"]
        if (
            code in (128 + signal.SIGTERM, 128 + signal.SIGUSR2)
            and (_states() or {}).get(number) == "RUNNING"
        ):
            subprocess.run(["scontrol", "requeue", number], check=True)
        sys.exit(code)


def _executor(folder: Path, submission: Written) -> "AutoExecutor":
    """An executor for jobs that find infobound and that Slurm may requeue.

    Raises ConfigError for parameters that submitit does not have.
    """
    from submitit import AutoExecutor

    path: list[str] = []
    if found := checkout():
        path = [f"export PYTHONPATH={shlex.quote(str(found))}:$PYTHONPATH"]
    ours = {
        "slurm_setup": [*submission["slurm_setup"], *path],
        "slurm_additional_parameters": {
            "requeue": True,
            **submission["slurm_additional_parameters"],
        },
    }
    executor = AutoExecutor(folder / ".slurm", cluster="slurm")
    try:
        executor.update_parameters(**{**submission, **ours})
    except (AssertionError, NameError) as error:
        raise ConfigError(f"hydra.launcher.submission: {error}") from error
    return executor


def _states() -> dict[str, str] | None:
    """The states of this user's jobs by job number, or None if the controller gives no answer."""
    command = ["squeue", "--me", "--states=all", "--noheader", "--format=%i %T"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if told.returncode else dict(line.split() for line in told.stdout.splitlines())


def _end(number: str) -> int | str:
    """The exit code of an ended job, negative for a signal; or a description of how Slurm ended
    it.
    """
    told = subprocess.run(
        ["scontrol", "--oneliner", "show", "job", number],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"JobState=(\w+) .*ExitCode=(\d+):", told)
    if found is None or found[1] not in ("COMPLETED", "FAILED"):
        return f"Slurm's job {number} has ended: {found[1] if found else 'forgotten'}"
    code = int(found[2])
    return 128 - code if code > 128 else code
