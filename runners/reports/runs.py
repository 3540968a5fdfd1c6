"""Runs read back from their folders: their settings and how they ended."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from infobound.runners.runs import aside, schemas
from infobound.runners.runs.errors import ConfigError, Damaged
from infobound.runners.runs.locks import unless_held
from infobound.runners.runs.snapshots import Snapshots
from infobound.runners.runs.written import Written

NOTHING: Written = MappingProxyType({})
FACTS = ("seed", "steps", "seconds", "steps_per_second")
MISSING = "there is no result; the same command runs this job"
KILLED = "it was killed, or its machine went down; the same command"


class Run(NamedTuple):
    """A run as its folder describes it."""

    path: Path
    overrides: list[str]
    status: str
    """completed, failed, refused, interrupted, running, or missing if a sweep expects a run that
    has no result.
    """
    error: str = ""
    metrics: Written = NOTHING
    units: Written = NOTHING
    facts: Written = NOTHING
    composed: Written = NOTHING
    """The chosen options and the values of dotted keys, if they were asked for."""

    @property
    def levels(self) -> list[Written]:
        """The metrics, or those of each level if the run has several levels."""
        return [{**self.metrics, **level} for level in self.metrics.get("levels", [{}])]


def found(sources: Iterable[Path]) -> list[Run]:
    """Every run in or below the sources, and every run that a sweep's jobs.json expects there,
    ordered by name.

    Reports are left out. Raises ConfigError if a source has no runs.
    """
    runs: dict[Path, Run] = {}
    for source in sources:
        read = (_run(path, overrides) for path, overrides in _below(source).items())
        here = {run.path: run for run in read if "runner=report" not in run.overrides}
        if not here:
            raise ConfigError(
                f"source must name folders of runs, but there is no result.json in or below"
                f" {source}"
            )
        runs |= here
    return [runs[path] for path in sorted(runs)]


def _below(source: Path) -> dict[Path, list[str]]:
    """The folders of results and of expected jobs, with their overrides from jobs.json."""
    expected: dict[Path, list[str]] = {}
    for folder, folders, files in os.walk(source):
        if schemas.JOBS in files:
            expected |= _jobs(Path(folder))
            folders[:] = [each for each in folders if each != aside.FOLDER]
        if schemas.RESULT in files:
            expected.setdefault(Path(folder), [])
    return expected


def set_aside(sources: Iterable[Path]) -> list[aside.Aside]:
    """The damaged files that sweeps in or below the sources have set aside."""
    sweeps = (
        Path(folder)
        for source in sources
        for folder, folders, files in os.walk(source)
        if aside.FOLDER in folders and schemas.JOBS in files
    )
    return [each for sweep in sweeps for each in aside.found(sweep)]


def _jobs(sweep: Path) -> dict[Path, list[str]]:
    listed = schemas.jobs(sweep) or {"jobs": {}}
    return {sweep / name: overrides for name, overrides in listed["jobs"].items()}


def _run(path: Path, expected: list[str]) -> Run:
    try:
        result = schemas.result(path)
        if result is not None and result["status"] == "running":
            result = _settled(path, result)
        if result is None:
            return Run(path, expected, "missing", MISSING)
        if result["status"] == "completed":
            schemas.lines(path)
        Snapshots.of(path)
    except Damaged as error:
        return Run(path, expected, "failed", str(error))
    return Run(
        path,
        result["overrides"],
        result["status"],
        (result["error"] or {}).get("message", ""),
        result["metrics"],
        result["units"],
        {name: result[name] for name in FACTS},
    )


def _settled(path: Path, result: Written) -> Written:
    """Turn a run marked as running into a failed one, if no process works in its folder."""
    with unless_held(path) as free:
        result = (schemas.result(path) if free else None) or result  # it may have just ended
    further = (
        "continues from its checkpoint" if (path / "checkpoint.pt").is_file() else "starts it again"
    )
    killed = {"status": "failed", "error": {"message": f"{KILLED} {further}"}}
    return {**result, **killed} if free and result["status"] == "running" else result
