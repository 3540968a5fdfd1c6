"""hydra/launcher=ray: the jobs of a sweep on a Ray cluster, or with Ray on this machine."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.launching import SweepLauncher, checkout, require
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.locks import held
from infobound.runners.runs.processes import printing_into
from infobound.runners.runs.run_directory import LOG
from infobound.runners.runs.signals import interruptible
from infobound.runners.runs.sweep import Job


class RayLauncher(SweepLauncher):
    """Runs jobs with `num_cpus` and `num_gpus` each on Ray at `address`; `slots` at a time, by
    default as many as fit.
    """

    def __init__(self, address: str, num_cpus: float, num_gpus: float, slots: int | None) -> None:
        if not (num_cpus > 0 and num_gpus >= 0):
            raise SettingError(
                "hydra.launcher.num_cpus",
                "must be positive and num_gpus 0 or more",
                f"{num_cpus} and {num_gpus}",
            )
        if slots is not None and slots < 1:
            raise SettingError("hydra.launcher.slots", "must be a positive integer or null", slots)
        self._address, self._slots = address, slots
        self._needs = {"CPU": num_cpus, "GPU": num_gpus}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        require("ray", "ray")
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    @contextmanager
    def pool(self) -> Iterator["Workers"]:
        import ray

        _connect(self._address)
        try:
            yield Workers(self._slots or self._room(ray.cluster_resources()), self._needs)
        finally:
            ray.shutdown()

    def _room(self, resources: Mapping[str, float]) -> int:
        """The number of jobs that the cluster can run at a time.

        Raises ConfigError if it has no room for one job.
        """
        name, room = min(
            ((name, resources.get(name, 0) / each) for name, each in self._needs.items() if each),
            key=lambda each: each[1],
        )
        if room < 1:
            has = f"got {self._needs[name]:g}, but Ray has {resources.get(name, 0):g}"
            raise ConfigError(
                f"hydra.launcher.num_{name.lower()}s must leave room for a job, {has}"
            )
        return int(room)


class Workers:
    """A pool of Ray worker processes; each one ends with its job."""

    def __init__(self, slots: int, needs: Mapping[str, float]) -> None:
        import ray

        self.slots = slots
        options = ray.remote(
            max_calls=1, max_retries=0, num_cpus=needs["CPU"], num_gpus=needs["GPU"]
        )
        self._remote = options(_perform)
        self._streams: dict[Job, Any] = {}
        """The messages of each job's worker."""
        self._begun: set[Job] = set()
        self._over: dict[Job, int | str] = {}

    def start(self, job: Job) -> None:
        self._streams[job] = self._remote.remote(job.task(), job.directory.absolute(), Path.cwd())

    def ended(self, timeout: float) -> Mapping[Job, int | str]:
        self._listen(timeout)
        ends = {
            job: end
            for job, end in self._over.items()
            if isinstance(end, int) or not held(job.directory)
        }
        for job in ends:  # Ray may give up a job that is still writing its checkpoint
            del self._over[job], self._streams[job]
        return ends

    def _listen(self, timeout: float) -> None:
        import ray

        jobs = {stream: job for job, stream in self._streams.items() if job not in self._over}
        if not jobs:
            time.sleep(timeout)
            return
        ray.wait(list(jobs), timeout=timeout)
        ready, _ = ray.wait(list(jobs), num_returns=len(jobs), timeout=0)
        for stream in ready:
            told = _next(stream)
            if told is None:
                self._begun.add(jobs[stream])
            else:
                self._over[jobs[stream]] = told

    def begun(self, job: Job) -> bool:
        return job in self._begun

    def stop(self, job: Job, *, force: bool) -> None:
        """Send the job SIGINT, or end its process."""
        import ray

        if job in self._streams:
            ray.cancel(self._streams[job], force=force)


def _perform(task: Callable[[], int], directory: Path, home: Path) -> Iterator[int | None]:
    """Run a job's task in a worker; yield None when it has started, then its exit code."""
    yield None
    os.chdir(home)
    printing_into(directory / LOG)
    with interruptible():
        code = task()
    yield code


def _next(stream: Any) -> int | str | None:
    """The worker's next message, or Ray's message about its end."""
    import ray
    from ray.exceptions import RayError

    try:
        [told] = ray.get([next(stream)])
        return told
    except RayError as error:
        return f"Ray says: {str(error).partition(chr(10))[0]}"
    except StopIteration:
        return "Ray cancelled it"


def _connect(address: str) -> None:
    """Connect to Ray at an address; a local Ray only accepts this process.

    Raises ConfigError if it does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        os.environ.setdefault(
            "RAY_AUTH_TOKEN", secrets.token_hex(32)
        )  # otherwise Ray leaves one in the home directory
    import ray
    from ray.exceptions import RayError

    found = checkout()
    path = {"PYTHONPATH": f"{found}:${{PYTHONPATH}}"} if found else {}
    try:
        ray.init(
            address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": path},
        )
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise ConfigError(
            f"hydra.launcher.address must be the address of a running Ray, got {address}: {error}"
        ) from error
