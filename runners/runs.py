"""Run directories read back as tables."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
import yaml

from runners.errors import ConfigError
from runners.identity import leaves

REPEATS = ("seed", "name", "force")
"""Overrides that tell runs of one setting apart."""


def found(sources: Iterable[Path]) -> list[Path]:
    """Every run directory at or below the sources, in order of name.

    Raises ConfigError if a source holds none.
    """
    runs: set[Path] = set()
    for source in sources:
        here = {file.parent for file in source.rglob("result.json")}
        if not here:
            raise ConfigError(f"source must name folders of runs, but there is no result.json in {source} or below it")
        runs |= here
    return sorted(runs)


def table(runs: Iterable[Path], metric: str) -> tuple[pd.DataFrame, list[str]]:
    """One row a run (folder, status, settings, metrics of one value, seed, steps, seconds, error), and the swept keys.

    The settings are what any of the runs has overridden. A run over several levels has a row for each, and `level` is one of
    the keys then. Completed runs that do not have a metric that others have, such as earlier reports, are left out.

    Raises ConfigError if a result cannot be read.
    """
    results = {run: _read(run) for run in runs}
    if any(metric in each for result in results.values() for each in _levels(result)):
        results = {
            run: result
            for run, result in results.items()
            if result["status"] != "completed" or any(metric in each for each in _levels(result))
        }
    given = {run: _given(result["overrides"]) for run, result in results.items()}
    keys = list(dict.fromkeys(key for each in given.values() for key in each))
    rows = [
        {
            "run": str(run),
            "status": result["status"],
            **_settings(run, given[run], keys),
            **_numbers(result, metrics),
        }
        for run, result in results.items()
        for metrics in _levels(result)
    ]
    frame = pd.DataFrame(rows)
    keys += ["level"] if "level" in frame else []
    return frame, [key for key in keys if len(frame[key].unique()) > 1]


def aggregated(rows: pd.DataFrame, keys: Sequence[str], metric: str, beside: Sequence[str] = ()) -> pd.DataFrame:
    """The completed runs of each setting of `keys` together: kind, truth, mean, sd, standard error, number; the means beside.

    The replicates of a run count as runs. A single one has no sd, and the standard error that the run itself states.
    """
    done = rows.query("status == 'completed'")
    pooled = [(setting, group[[*beside]].mean().to_dict() | _pooled(group, metric)) for setting, group in grouped(done, keys)]
    return pd.DataFrame([{**dict(zip(keys, setting, strict=True)), **values} for setting, values in pooled])


def grouped(rows: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The rows of each setting of the keys, all of them where there are no keys."""
    if not keys:
        yield (), rows
        return
    for setting, group in rows.groupby(list(keys), dropna=False):
        yield cast(tuple[Any, ...], setting), cast(pd.DataFrame, group)


def _pooled(group: pd.DataFrame, metric: str) -> dict[str, Any]:
    values = pd.Series([value for row in group.to_dict("records") for value in _copies(row, metric)])
    count = len(values)
    sd = values.std(ddof=1)
    own = group[f"{metric}_stderr"].iloc[0] if f"{metric}_stderr" in group else float("nan")
    truths = group[f"{metric}_true"].unique() if f"{metric}_true" in group else []
    truth = truths[0] if len(truths) == 1 else float("nan")
    stderr = sd / count**0.5 if count > 1 else own
    kind = group["kind"].iloc[0] if "kind" in group else ""
    return {"kind": kind, "truth": truth, "mean": values.mean(), "sd": sd, "stderr": stderr, "runs": count}


def _copies(row: dict[Any, Any], metric: str) -> list[float]:
    """The metric of each independent copy in a run; folds are none."""
    each = row.get(f"{metric}_replicates")
    return each if isinstance(each, list) and row["stderr_of"] == "replicates" else [row[metric]]


def _read(run: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads((run / "result.json").read_text())
        _ = [_numbers(result, metrics) for metrics in _levels(result)], result["status"], result["overrides"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{run / 'result.json'} is not the result of a run: {error!r}") from error
    return result


def _levels(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics of a run, or those of each level of one over several."""
    return [result["metrics"] | level for level in result["metrics"].get("levels", [{}])]


def _given(overrides: Iterable[str]) -> dict[str, str]:
    parts = [each.lstrip("+").partition("=") for each in overrides]
    return {key: value for key, _, value in parts if key not in REPEATS}


def _settings(run: Path, given: Mapping[str, str], keys: Sequence[str]) -> dict[str, float | str | None]:
    """What the run had at these keys, by its overrides, or else by what it was composed of; None where it had no such key."""
    defaults = _composed(run) if any(key not in given for key in keys) else {}
    texts = {**defaults, **given}
    return {key: _number(texts[key]) if key in texts else None for key in keys}


def _composed(run: Path) -> dict[str, str]:
    """The choices of groups and the values of dotted keys in .hydra, written as overrides are."""
    files = [run / ".hydra" / name for name in ("config.yaml", "hydra.yaml")]
    config, hydra = (yaml.safe_load(file.read_text()) if file.is_file() else {} for file in files)
    values = {**dict(leaves(config)), **hydra.get("runtime", {}).get("choices", {})}
    return {key: json.dumps(value, separators=(",", ":")).replace('"', "") for key, value in values.items()}


def _numbers(result: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and short texts; of the lists those alone that have a number for each copy."""
    metrics = {key: value for key, value in metrics.items() if key.endswith("_replicates") or not isinstance(value, list)}
    facts = {key: result[key] for key in ("seed", "steps", "seconds", "steps_per_second")}
    return {**metrics, **facts, "error": (result["error"] or {}).get("message", "")}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
