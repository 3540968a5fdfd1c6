"""A sweep: each job has its own process, so that a failing job never affects the others."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from infobound.errors import SettingError
from infobound.runners.runs import schemas
from infobound.runners.runs.aside import LOG
from infobound.runners.runs.errors import ConfigError, Damaged, Interrupted, JobDied
from infobound.runners.runs.locks import held
from infobound.runners.runs.signals import Deferred, interruptible
from infobound.runners.runs.written import State, Written

log = logging.getLogger(__name__)

POLL = 0.5
"""Seconds between two checks of followers and limits while no job ends."""
BUSY = 75
"""Exit code of a job that finds another process working in its directory; it is started again when
that process has ended.
"""


class Job(Protocol):
    """One job of a sweep, before it starts."""

    directory: Path
    label: str
    """The overrides in which it differs from the other jobs of its sweep."""

    def task(self) -> Callable[[], int]:
        """A function, which can be pickled, that runs the job in the calling process and returns an
        exit code.

        Raises ConfigError if the job cannot be composed.
        """
        ...

    def fail(self, error: Exception) -> None:
        """Write a result with this error."""
        ...


class Pool(Protocol):
    """A pool that runs jobs, each in its own process."""

    slots: int
    """Maximum number of jobs at a time."""

    def start(self, job: Job) -> None: ...

    def ended(self, timeout: float) -> Mapping[Job, int | str]:
        """The jobs that ended since the last call, waiting up to `timeout` seconds for one, with
        their exit codes or descriptions of their end.
        """
        ...

    def begun(self, job: Job) -> bool:
        """Whether a started job has left the queue."""
        ...

    def stop(self, job: Job, *, force: bool) -> None:
        """Ask a job to write its checkpoint and end, or kill it."""
        ...


class Follower(Protocol):
    """A follower of a sweep, such as a search that learns from the jobs' results."""

    def stops(self, job: Job) -> str | None:
        """Why a running job should be stopped, empty if not; asked repeatedly once the job
        records.
        """
        ...

    def ended(self, job: Job, result: Written) -> None: ...


class Onlooker:
    """A follower that lets every job run to its end."""

    def stops(self, job: Job) -> str | None:
        return None

    def ended(self, job: Job, result: Written) -> None: ...


class _Attempt:
    """A running job."""

    def __init__(self, job: Job) -> None:
        self.before = _stamp(job.directory)
        self.since: float | None = None
        """The time at which it was first seen to have left the queue."""
        self.stopped: str | None = None
        """Why it was asked to end."""
        self.overdue = self.pruned = False
        self.deadline = math.inf
        """The time at which it is killed if it has not ended."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Limits of a sweep's jobs: seconds for each (None: no limit), seconds to end when asked to,
    and the action on a failure.
    """

    job_timeout: float | None
    grace: float
    on_error: Literal["continue", "stop"]

    def __post_init__(self) -> None:
        for name in ("job_timeout", "grace"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingError(name, "must be a positive number of seconds", value)


class Ended(NamedTuple):
    """An ended job with its result."""

    job: Job
    result: Written
    """Its result.json."""
    failed: bool
    """Whether the job is still to do; a job that a follower stopped is not."""


class Sweep:
    """Runs jobs in `pool`, with the limits of `manner`, and reports how each of the `total`
    ends.

    `of_all` says why all jobs are refused, empty if they are not. It is asked once, when the first
    job is refused: if the reason is the same, no other job starts.
    """

    refusal = ""
    """Why every job would be refused."""

    def __init__(
        self,
        pool: Pool,
        manner: Manner,
        total: int,
        follower: Follower,
        of_all: Callable[[], str] = str,
    ) -> None:
        self._pool, self._manner, self._total, self._follower = pool, manner, total, follower
        self._of_all: Callable[[], str] | None = of_all
        self._running: dict[Job, _Attempt] = {}
        self._elsewhere: list[Job] = []
        self._stopping = ""
        """Why no more jobs are started."""
        self.ended: list[Ended] = []

    def run(self, jobs: Iterable[Job]) -> None:
        """Run the jobs, starting them as slots become free.

        Raises Interrupted after a signal, when the running jobs have written their checkpoints.
        """
        signals = Deferred()
        with interruptible(), signals.noting():
            try:
                self._drive(iter(jobs), signals)
            except BaseException:
                for job in self._running:
                    self._pool.stop(job, force=False)
                raise
        if signals.received:
            raise Interrupted(signals.received)

    def _drive(self, jobs: Iterator[Job], signals: Deferred) -> None:
        while True:
            if signals.received:
                self._stopping = "the sweep was interrupted"
            if self._stopping:
                self._stop_all(self._stopping)
            self._fill(jobs, signals)
            if not self._running and not self._elsewhere:
                return
            for job, end in self._pool.ended(POLL).items():
                attempt = self._running.pop(job)
                if end == BUSY:
                    self._elsewhere.append(job)
                else:
                    self._settle(job, end, attempt)
            for job, attempt in self._running.items():
                self._watch(job, attempt)

    def _fill(self, jobs: Iterator[Job], signals: Deferred) -> None:
        """Start jobs while there are free slots, first those that another launcher was running
        before.
        """
        while len(self._running) < self._pool.slots and not (self._stopping or signals.received):
            free = next((job for job in self._elsewhere if not held(job.directory)), None)
            if free is not None:
                self._elsewhere.remove(free)
            job = free or next(jobs, None)
            if job is None:
                return
            self._running[job] = _Attempt(job)
            try:
                self._pool.start(job)
            except ConfigError as error:
                attempt = self._running.pop(job)
                job.fail(error)
                self._settle(job, 2, attempt)

    def _watch(self, job: Job, attempt: _Attempt) -> None:
        now, limit = time.monotonic(), self._manner.job_timeout
        if attempt.since is None and self._pool.begun(job):
            attempt.since = now
        if now > attempt.deadline:
            self._pool.stop(job, force=True)
            attempt.deadline = math.inf
        elif attempt.stopped is not None:
            return
        elif limit is not None and attempt.since is not None and now - attempt.since > limit:
            attempt.overdue = True
            self._stop(job, attempt, f"it took longer than sweep.job_timeout={limit:g} seconds")
        elif _stamp(job.directory) != attempt.before and (reason := self._follower.stops(job)):
            attempt.pruned = True
            self._stop(job, attempt, reason)

    def _stop(self, job: Job, attempt: _Attempt, reason: str) -> None:
        self._pool.stop(job, force=False)
        attempt.stopped, attempt.deadline = reason, time.monotonic() + self._manner.grace

    def _stop_all(self, reason: str) -> None:
        self._elsewhere.clear()
        for job, attempt in self._running.items():
            if attempt.stopped is None:
                self._stop(job, attempt, reason)

    def _settle(self, job: Job, end: int | str, attempt: _Attempt) -> None:
        """Make sure that the job's result says how it ended, even if the job could not write it."""
        result = _result(job.directory)
        status, own = result.get("status"), _stamp(job.directory) != attempt.before
        told = (status == "completed" and (end == 0 or own)) or (
            status in ("failed", "refused", "interrupted") and own
        )
        if attempt.overdue or not (told or attempt.stopped):
            error = JobDied(
                f"{attempt.stopped or death(end)}; its output is in {job.directory / LOG}"
            )
            job.fail(error)
            result |= {"status": "failed", "error": {"type": "JobDied", "message": str(error)}}
        elif not told or status == "interrupted":
            result |= {
                "status": "interrupted",
                "error": {"type": "Interrupted", "message": attempt.stopped or "by a signal"},
            }
        failed = result["status"] == "failed" or (
            result["status"] == "interrupted" and not attempt.pruned
        )
        self.ended.append(Ended(job, result, failed))
        self._tell(job, result, failed)
        self._follower.ended(job, result)
        if failed and result["error"]["type"] == ConfigError.__name__ and self._of_all:
            of_all, self._of_all = self._of_all(), None
            if of_all == result["error"]["message"]:
                self.refusal = of_all
                self._stopping = self._stopping or "every job would be refused alike"
        if failed and self._manner.on_error == "stop":
            self._stopping = self._stopping or "another job failed, and sweep.on_error is stop"

    def _tell(self, job: Job, result: Written, failed: bool) -> None:
        words = result["summary"] if result["status"] == "completed" else result["error"]["message"]
        count, first = (
            f"[{len(self.ended):{len(str(self._total))}}/{self._total}]",
            words.partition("\n")[0],
        )
        log.log(
            logging.ERROR if failed else logging.INFO,
            f"{count} {result['status']:11} {job.label}  {first}",
        )


def _result(directory: Path) -> State:
    """The result of a job, empty if there is none that can be read."""
    try:
        return {**(schemas.result(directory) or {})}
    except Damaged:
        return {}


def death(end: int | str) -> str:
    """Describe the end of a job that wrote no result, from its exit code (negative for a signal) or
    a queue's message.
    """
    if isinstance(end, str):
        return end
    if end >= 0:
        return f"it exited with code {end} without a result"
    name = signal.Signals(-end).name
    return f"it was killed by {name}" + (
        ", as the system does when memory runs out" if -end == signal.SIGKILL else ""
    )


def _stamp(directory: Path) -> tuple[int, int] | None:
    """The identity of the current result.json, which is always replaced, never modified."""
    try:
        status = (directory / "result.json").stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
