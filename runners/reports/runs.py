"""Runs read back from their folders: their settings and how they ended."""

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
            for name, overrides in json.loads(file.read_text(encoding="utf-8"))["jobs"].items()
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
    return json.loads((path / "result.json").read_text(encoding="utf-8"))


def _settled(path: Path, result: Written) -> Written:
    """Turn a run marked as running into a failed one, if no process works in its folder."""
    with unless_held(path) as free:
        result = _result(path) if free else result  # it may have just ended
    further = (
        "continues from its checkpoint" if (path / "checkpoint.pt").is_file() else "starts it again"
    )
    killed = {"status": "failed", "error": {"message": f"{KILLED} {further}"}}
    return {**result, **killed} if free and result["status"] == "running" else result
