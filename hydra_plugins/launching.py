"""The common part of the launchers: composed jobs, the list of expected jobs, and the report at the
end of a sweep.
"""

import hashlib
import json
import logging
import shlex
import site
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import Pipe, get_context
from pathlib import Path

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from infobound.conf import refusals, schema
from infobound.conf.choices import options
from infobound.runners.runs import schemas, sweep
from infobound.runners.runs.aside import check_links
from infobound.runners.runs.checkpoint import write_atomically
from infobound.runners.runs.errors import (
    ConfigError,
    Damaged,
    Interrupted,
    SweepFailed,
    fitting,
)
from infobound.runners.runs.formats import USUAL
from infobound.runners.runs.locks import locked
from infobound.runners.runs.naming import job_name
from infobound.runners.runs.program import program
from infobound.runners.runs.run_directory import RunDirectory

log = logging.getLogger(__name__)


def require(library: str, choice: str) -> None:
    """Raise ConfigError unless the library of a launcher is installed."""
    if find_spec(library) is None:
        raise ConfigError(f"hydra/launcher={choice} needs {library}; pip install {library}")


def checkout() -> Path | None:
    """The folder in which other processes find infobound, or None if it is installed."""
    folder = schema.CONFIGURATIONS.parents[1]
    installed = [*site.getsitepackages(), site.getusersitepackages()]
    return None if str(folder) in installed else folder


@dataclass(frozen=True)
class Task:
    """A composed job that runs where it is called: in a process of this machine, or of another
    machine that has infobound.
    """

    config: DictConfig
    context: HydraContext
    function: TaskFunction
    singletons: dict[type, Singleton]

    def __call__(self) -> int:
        """Run it and return its exit code."""
        Singleton.set_state(self.singletons)
        setup_globals()
        try:
            run_job(
                self.function, self.config, "hydra.sweep.dir", "hydra.sweep.subdir", self.context
            )
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
        return 0


class Job:
    """One job of a sweep, composed when it starts; its label omits the overrides `common` to
    all.
    """

    def __init__(
        self,
        launcher: "SweepLauncher",
        overrides: Sequence[str],
        number: int,
        common: Set[str] = frozenset(),
    ) -> None:
        self._launcher, self.overrides, self._number = launcher, list(overrides), number
        self.directory = launcher.folder / job_name(overrides)
        self.label = (
            job_name([each for each in overrides if each not in common]) or self.directory.name
        )

    @property
    def config(self) -> DictConfig:
        """Compose the job. Raises ConfigError if its overrides do not fit together."""
        launcher = self._launcher
        try:
            config = launcher.context.config_loader.load_sweep_config(
                launcher.config, self.overrides
            )
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(refusals.explained(error, self.overrides)) from error
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = self._number
            config.hydra.sweep.dir, config.hydra.sweep.subdir = (
                str(launcher.folder),
                self.directory.name,
            )
        return config

    def completed(self, *, unchanged: bool) -> bool:
        """Whether the job is done; its result decides this if it was composed from the same files.
        A job whose files are damaged is not done, and sets them aside when it starts.

        Raises Occupied if the folder has a run with another configuration.
        """
        try:
            result = schemas.result(self.directory)
            if result is None or not unchanged:
                return result is not None and self.record.completed() is not None
            if result["status"] != "completed":
                return False
            schemas.lines(self.directory)
        except Damaged as error:
            log.warning(f"{self.label} is repeated: {error}")
            return False
        return True

    @property
    def record(self) -> RunDirectory:
        """The job's directory, for files that the job cannot write itself."""
        config = self._launcher.config
        with suppress(ConfigError):
            config = self.config
        task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        return RunDirectory(
            self.directory, {"config.yaml": OmegaConf.to_yaml(task)}, self.overrides, expected=True
        )

    def task(self) -> Task:
        launcher = self._launcher
        return Task(self.config, launcher.context, launcher.function, Singleton.get_state())

    def fail(self, error: Exception) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.record.fail(error)


class SweepLauncher(Launcher):
    """Runs the jobs of a sweep in a pool, and reports their results at the end."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context, self.function, self.config = hydra_context, task_function, config
        self.folder = Path(str(config.hydra.sweep.dir))

    @abstractmethod
    def pool(self) -> AbstractContextManager[sweep.Pool]:
        """The pool in which this launcher runs jobs."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        common = frozenset.intersection(*map(frozenset, job_overrides))
        jobs = [
            Job(self, overrides, number, common)
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        ]
        done = self.expect(jobs)
        left = [job for job in jobs if job.directory not in done]
        log.info(
            f"{len(jobs)} jobs in {self.folder}"
            + (f", {len(done)} of them completed before" if done else "")
        )
        if left:
            self.run(left, len(left), sweep.Onlooker(), partial(_refusal, jobs))
        else:
            self._summarise()
        return [JobReturn(job.overrides, status=JobStatus.COMPLETED) for job in jobs]

    def expect(self, jobs: Sequence[Job]) -> set[Path]:
        """Write the list of jobs of the sweep, and return the directories of the completed ones.

        Raises Occupied if a job's folder has a run with another configuration.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        files = self._fingerprint()
        with locked(self.folder, seconds=60):
            check_links(self.folder)
            listed = schemas.jobs(self.folder) or {"jobs": {}, "files": {}}
            same = {name for name, of in listed["files"].items() if of == files}
            asked = [] if self.config.force else jobs
            done = {
                job.directory
                for job in asked
                if job.completed(unchanged=job.directory.name in same)
            }
            listed = {
                "jobs": listed["jobs"] | {job.directory.name: job.overrides for job in jobs},
                "files": listed["files"] | {job.directory.name: files for job in jobs},
            }
            write_atomically(
                self.folder / schemas.JOBS, (json.dumps(listed, indent=1) + "\n").encode()
            )
            write_atomically(self.folder / "multirun.yaml", OmegaConf.to_yaml(self.config).encode())
        return done

    def run(
        self,
        jobs: Iterable[Job],
        total: int,
        follower: sweep.Follower,
        of_all: Callable[[], str] = str,
    ) -> None:
        """Run the jobs, as many at a time as the pool takes, and write the sweep's summary in any
        case. `of_all` says why all of them are refused.

        Raises SweepFailed with a table of the failed jobs, ConfigError if all would be refused
        alike, and Interrupted after a signal.
        """
        manner: sweep.Manner = schema.built(self.config, "sweep")
        with self.pool() as pool:
            running = sweep.Sweep(pool, manner, total, follower, of_all)
            try:
                running.run(jobs)
            except Interrupted:
                log.info(f"to continue: {self._command()}")
                raise
            finally:
                self._summarise()
        if running.refusal:
            raise ConfigError(f"every job: {running.refusal}")
        failed = [ended for ended in running.ended if ended.failed]
        if left := total - len(running.ended) + len(failed):
            lines = [
                f"  {job.label}: {result['status']}, {result['error']['message']}"
                for job, result, _ in failed
            ]
            raise SweepFailed(
                "\n".join(
                    [
                        f"{left} of {total} jobs are still to do:",
                        *lines,
                        f"to continue: {self._command()}",
                    ]
                )
            )

    def _summarise(self) -> None:
        # Imports pandas and matplotlib, which the jobs do not need.
        from infobound.runners.reports import report

        formats = self.config.runner.get("figure_formats", USUAL)
        log.info(report.summarise(self.folder, formats).line)

    def _fingerprint(self) -> str:
        """A hash of every configuration file that jobs are composed from."""
        digest = hashlib.sha256()
        for source in self.config.hydra.runtime.config_sources:
            if source.schema == "file":
                for file in sorted(Path(source.path).rglob("*.yaml")):
                    digest.update(f"{file}\n".encode() + file.read_bytes())
        return digest.hexdigest()[:12]

    def _command(self) -> str:
        """The command that continues this sweep."""
        sweeps = Path("outputs", "sweeps")
        given = [each for each in sys.argv[1:] if each.partition("=")[0] not in ("name", "force")]
        named = (
            [f"name={self.folder.relative_to(sweeps)}"]
            if self.folder.is_relative_to(sweeps)
            else []
        )
        return f"{program()} {shlex.join([*given, *named])}"


def _refusal(jobs: Sequence[Job]) -> str:
    """Why all of these jobs are refused, empty if some are sound or the reasons differ. They are
    built in a fork, so that this process stays as it is.
    """

    by_overrides = {tuple(job.overrides): job for job in jobs}

    def build() -> None:
        reasons = set[str]()
        kept = map(tuple, representatives([job.overrides for job in jobs]))
        for job in [by_overrides[each] for each in kept]:
            try:
                config = job.config
                task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
                schema.validate(task)
                schema.prepared(task)
            except ConfigError as error:
                reasons.add(fitting(str(error)))
                if len(reasons) > 1:
                    return
            except Exception:  # no refusal: the job itself says how it fails
                return
            else:
                return
        told.send(reasons.pop())

    heard, told = Pipe(duplex=False)
    process = get_context("fork").Process(target=build)
    process.start()
    told.close()
    reason = ""
    with suppress(EOFError):
        reason = heard.recv()
    process.join()
    return reason


def representatives(jobs: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The overrides of the first and the last job, and of those that choose an option that no
    earlier job chose. All jobs of a sweep give the same keys, so others hardly differ in whether
    they can be composed.
    """
    is_choice = {key: bool(options(key)) for key in {_key(each) for job in jobs for each in job}}
    seen, found = set[str](), list[Sequence[str]]()
    for number, job in enumerate(jobs):
        chosen = {each for each in job if is_choice[_key(each)]}
        if number in (0, len(jobs) - 1) or not chosen <= seen:
            found.append(job)
        seen |= chosen
    return found


def _key(override: str) -> str:
    return override.partition("=")[0]
