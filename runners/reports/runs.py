"""Runs read back from their folders: what each was asked for, and how it ended."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.locks import unless_held
from infobound.runners.runs.written import Written

NOTHING: Written = MappingProxyType({})
FACTS = ("seed", "steps", "seconds", "steps_per_second")
MISSING = "there is no result; the same command runs this job"
KILLED = "it was killed, or its machine went down; the same command"


class Run(NamedTuple):
    """What a folder says about its run."""

    path: Path
    overrides: list[str]
    status: str
    """completed, failed, interrupted, running, or missing where a sweep expects a run that has no
    result.
    """
    error: str = ""
    metrics: Written = NOTHING
    units: Written = NOTHING
    facts: Written = NOTHING

    @property
    def levels(self) -> list[Written]:
        """The metrics, or those of each level of a run over several."""
        return [{**self.metrics, **level} for level in self.metrics.get("levels", [{}])]


def found(sources: Iterable[Path]) -> list[Run]:
    """Every run at or below the sources, and every one that a sweep's jobs.json there expects, in
    order of name.

    Reports are not among them. Raises ConfigError if a source holds none.
    """
    runs: dict[Path, Run] = {}
    for source in sources:
        read = (_run(path, overrides) for path, overrides in _below(source).items())
        here = {run.path: run for run in read if "runner=report" not in run.overrides}
        if not here:
            raise ConfigError(
                f"source must name folders of runs, but there is no result.json in {source} or"
                " below it"
            )
        runs |= here
    return [runs[path] for path in sorted(runs)]


def _below(source: Path) -> dict[Path, list[str]]:
    """The folders of results and of expected jobs, with the overrides that jobs.json has for
    them.
    """
    expected: dict[Path, list[str]] = {}
    for folder, _, files in os.walk(source):
        if "jobs.json" in files:
            expected |= _jobs(Path(folder))
        if "result.json" in files:
            expected.setdefault(Path(folder), [])
    return expected


def _jobs(sweep: Path) -> dict[Path, list[str]]:
    file = sweep / "jobs.json"
    try:
        return {
            sweep / name: list(overrides)
            for name, overrides in json.loads(file.read_text())["jobs"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{file} is not the list of a sweep's jobs: {error!r}; move it away"
        ) from error


def _run(path: Path, expected: list[str]) -> Run:
    try:
        result = _result(path)
        if result["status"] == "running":
            result = _settled(path, result)
        error = (result["error"] or {}).get("message", "")
        facts = {name: result[name] for name in FACTS}
        return Run(
            path,
            list(result["overrides"]),
            result["status"],
            error,
            dict(result["metrics"]),
            dict(result.get("units", {})),
            facts,
        )
    except FileNotFoundError:
        return Run(path, expected, "missing", MISSING)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Run(
            path,
            expected,
            "failed",
            f"{path / 'result.json'} is not the result of a run: {error!r}",
        )


def _result(path: Path) -> Written:
    return json.loads((path / "result.json").read_text())


def _settled(path: Path, result: Written) -> Written:
    """A run whose result says that it is running has failed if nobody is at work in its folder."""
    with unless_held(path) as free:
        result = _result(path) if free else result  # it may have ended just before
    further = (
        "goes on from its checkpoint" if (path / "checkpoint.pt").is_file() else "starts it again"
    )
    killed = {"status": "failed", "error": {"message": f"{KILLED} {further}"}}
    return {**result, **killed} if free and result["status"] == "running" else result
