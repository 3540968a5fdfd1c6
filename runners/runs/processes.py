"""Processes on this machine, one for each job, forked after all imports are done."""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from infobound import regular
from infobound.errors import IrregularFileError
from infobound.runners.runs.aside import LOG
from infobound.runners.runs.signals import CAUGHT
from infobound.runners.runs.sweep import Job

END_WITH_PARENT = 1
"""Option of Linux's prctl() that sets the signal for the death of the parent."""


class Processes:
    """A pool of `slots` processes. If the launcher dies, its jobs write their checkpoints and
    end.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._context = multiprocessing.get_context("fork")
        self._processes: dict[Job, ForkProcess] = {}

    def start(self, job: Job) -> None:
        process = self._context.Process(
            target=_perform, args=(job.task(), job.directory, os.getpid())
        )
        process.start()
        self._processes[job] = process

    def ended(self, timeout: float) -> Mapping[Job, int]:
        if not self._processes:
            time.sleep(timeout)
        over = wait([process.sentinel for process in self._processes.values()], timeout)
        jobs = [job for job, process in self._processes.items() if process.sentinel in over]
        return {job: self._end(job) for job in jobs}

    def begun(self, job: Job) -> bool:
        return True

    def stop(self, job: Job, *, force: bool) -> None:
        process = self._processes[job]
        process.kill() if force else process.terminate()

    def _end(self, job: Job) -> int:
        process = self._processes.pop(job)
        process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return code


def _perform(task: Callable[[], int], directory: Path, parent: int) -> None:
    """Run the task in this forked process, detached from the terminal, whose Ctrl-C the launcher
    passes on.
    """
    for number in CAUGHT:
        signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(128 + signal.SIGTERM)
    printing_into(directory / LOG)
    sys.exit(task())


def _opened(path: Path) -> int:
    """A descriptor for appending to a log; what is no regular file, such as a link, is replaced."""
    try:
        return regular.writable(path, os.O_WRONLY | os.O_APPEND)
    except IrregularFileError:
        path.unlink()
        return regular.writable(path, os.O_WRONLY | os.O_APPEND)


def printing_into(path: Path) -> None:
    """Append everything that this process prints from now on, including its libraries' output, to a
    file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    target = _opened(path)
    for descriptor in (1, 2):
        os.dup2(target, descriptor)
    os.close(target)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
