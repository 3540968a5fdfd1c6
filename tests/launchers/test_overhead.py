"""The overhead of a sweep."""

import multiprocessing
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import RUN, small

JOBS = 40
ONE_STEP = ["runner.steps=1", "runner.eval_every=1"]


def cpu_seconds(work: Callable[[], None]) -> float:
    """The CPU seconds of the work in a separate process, with the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def as_a_sweep(folder: Path) -> None:
    line = [
        sys.executable,
        str(RUN),
        "-m",
        *small((*ONE_STEP, f"seed=range({JOBS})", "name=swept")),
    ]
    subprocess.run(line, cwd=folder, check=True, capture_output=True)


def by_hand(folder: Path) -> None:
    """The same jobs in a pool of as many processes, each forked after all imports."""
    script = f"""
import importlib, multiprocessing, sys, os
import run
from hydra_plugins.processes import LATE
from infobound.conf import schema
OURS = (
    "runners.estimate.runner",
    "models.critics.dense",
    "estimators.infonce",
    "datasets.pairs.gaussians",
)
for module in (*LATE, *(f"infobound.{{each}}" for each in OURS)):
    importlib.import_module(module)
jobs = {[small((*ONE_STEP, f"seed={n}", f"name=hand{n}")) for n in range(JOBS)]}
cores = len(os.sched_getaffinity(0))
with multiprocessing.get_context("fork").Pool(cores, maxtasksperchild=1) as pool:
    for code in pool.imap_unordered(run.launch, jobs):
        assert code == 0
"""
    environment = {**os.environ, "PYTHONPATH": str(RUN.parent)}
    subprocess.run(
        [sys.executable, "-c", script], cwd=folder, check=True, capture_output=True, env=environment
    )


@pytest.mark.slow
def test_a_sweep_takes_little_more_than_its_jobs(tmp_path: Path) -> None:
    swept, bare = (cpu_seconds(partial(work, tmp_path)) for work in (as_a_sweep, by_hand))
    print(f"{JOBS} jobs of one step: {swept:.1f} CPU seconds as a sweep, {bare:.1f} by hand")
    assert swept < 1.3 * bare
