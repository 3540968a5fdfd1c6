"""Tables of runs: one row for each run, and one for each setting with its mean and standard
error.
"""

import json
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import pandas as pd

from infobound.runners.reports.runs import Run
from infobound.runners.runs import schemas
from infobound.runners.runs.errors import Damaged
from infobound.runners.runs.identity import leaves
from infobound.runners.runs.metrics import COPIES, copies_key, stderr_key
from infobound.runners.runs.written import Written

NAMES = ("name", "force")
REPEATS = ("seed", *NAMES)
"""Overrides in which runs of one setting differ."""


def table(runs: Iterable[Run]) -> tuple[pd.DataFrame, list[str]]:
    """A table with one row for each run (folder, overrides, status, settings, metrics of one value,
    seed, steps, seconds, error), and the swept keys.

    The column of errors is called error, or failure if there is a metric called error. The settings
    are all keys that any run overrides. A run with several levels has one row for each, and `level`
    is then one of the keys.
    """
    given = [(run, _given(run.overrides, REPEATS)) for run in runs]
    keys = list(dict.fromkeys(key for _, settings in given for key in settings))
    frame = pd.DataFrame(
        [row for run, settings in given for row in _rows(run, _settings(run, settings, keys))]
    )
    failures = frame.pop("failure")
    frame["failure" if "error" in frame else "error"] = failures
    keys += ["level"] if "level" in frame else []
    return frame, [key for key in keys if len(frame[key].unique()) > 1]


def composed(runs: Iterable[Run]) -> list[Run]:
    """The runs with their composed configurations, where overrides of others need them; a run whose
    configuration is damaged has failed.
    """
    given = [(run, _given(run.overrides, REPEATS)) for run in runs]
    keys = {key for _, settings in given for key in settings}
    return [_composed(run) if keys - {*settings} else run for run, settings in given]


def first_metric(runs: Iterable[Run]) -> str | None:
    """The metric that most of the completed runs name first; None if no run has a metric."""
    firsts = [[*_values(run.levels[0])][:1] for run in runs if run.status == "completed"]
    counted = Counter(name for names in firsts for name in names).most_common(1)
    return counted[0][0] if counted else None


def units(runs: Iterable[Run]) -> dict[str, str]:
    """The units of the runs' metrics, by name."""
    return {name: unit for run in runs for name, unit in run.units.items()}


def aggregated(
    rows: pd.DataFrame, keys: Sequence[str], metric: str, beside: Sequence[str] = ()
) -> pd.DataFrame:
    """Aggregate the completed runs of each setting of `keys`: kind, truth, mean, sd, standard
    error, number of runs, and the means of the metrics `beside`.

    Replicates count as runs. A single run has no sd, and its own standard error.
    """
    done = rows.query("status == 'completed'").dropna(subset=[metric])
    columns = {
        "own": stderr_key(metric),
        "lowest": f"{metric}_true",
        "highest": f"{metric}_true",
        "kind": "kind",
    }
    facts = {name: done.get(column) for name, column in columns.items()}
    copies = (
        done[[*keys]]
        .assign(**facts, value=_copies(done, metric))
        .explode("value")
        .astype({"value": float})
    )
    means = grouped(copies, keys).agg(
        kind=("kind", "first"),
        lowest=("lowest", "min"),
        highest=("highest", "max"),
        mean=("value", "mean"),
        sd=("value", "std"),
        runs=("value", "size"),
        own=("own", "first"),
    )
    means["truth"] = means["lowest"].where(means["lowest"] == means["highest"]).astype(float)
    means["stderr"] = (
        (means["sd"] / means["runs"] ** 0.5).where(means["runs"] > 1, means["own"]).astype(float)
    )
    means = means.drop(columns=["lowest", "highest", "own"]).join(
        grouped(done, keys)[[*beside]].mean()
    )
    return means.reset_index(drop=not keys)


def averaged(means: pd.DataFrame, keys: Sequence[str], others: Sequence[str]) -> pd.DataFrame:
    """The means of each setting of `keys` over all settings of the `others`, if none of these is
    missing.
    """
    if not others:
        return means
    groups = grouped(means.assign(variance=means["stderr"] ** 2), keys)
    count = groups.size()
    over = groups.agg(mean=("mean", "mean"), lowest=("truth", "min"), highest=("truth", "max"))
    over["truth"] = over["lowest"].where(over["lowest"] == over["highest"])
    over["stderr"] = groups["variance"].sum(min_count=1) ** 0.5 / count
    return over[count == len(means[[*others]].drop_duplicates())].reset_index()


def grouped(rows: pd.DataFrame, keys: Sequence[str]) -> Any:
    """Group the rows by setting; without keys there is one group."""
    return rows.groupby([*keys] or (lambda _: 0), dropna=False)


def shown(value: float | str | None) -> str:
    """Write a setting in readable form."""
    if value is None or pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _copies(done: pd.DataFrame, metric: str) -> pd.Series:
    """The metric of each run, a list if it has independent copies; folds are not independent."""
    if copies_key(metric) not in done or "stderr_of" not in done:
        return cast(pd.Series, done[metric])
    each = done[copies_key(metric)]
    independent = each.map(lambda values: isinstance(values, list)) & (
        done["stderr_of"] == "replicates"
    )
    return cast(pd.Series, each.where(independent, done[metric]))


def _rows(run: Run, settings: Mapping[str, float | str | None]) -> list[Written]:
    given = _given(run.overrides, NAMES)
    overrides = shlex.join(f"{key}={value}" for key, value in given.items())
    seed = {"seed": int(given["seed"])} if given.get("seed", "").isdecimal() else {}
    about = {"run": str(run.path), "overrides": overrides, "status": run.status, **settings, **seed}
    # The names of the columns that say which run it is may not be those of metrics.
    return [
        {**about, **_shown(level), **about, **run.facts, "failure": run.error}
        for level in run.levels
    ]


def _given(overrides: Iterable[str], but: Sequence[str]) -> dict[str, str]:
    parts = [each.lstrip("+").partition("=") for each in overrides]
    return {key: value for key, _, value in parts if key not in but}


def _settings(
    run: Run, given: Mapping[str, str], keys: Sequence[str]
) -> dict[str, float | str | None]:
    """The run's values at these keys, from its overrides or its composed configuration; None if it
    has no such key.
    """
    written = {key: _written(run.composed[key]) for key in keys if key in run.composed}
    texts = {**written, **given}
    return {key: _number(texts[key]) if key in texts else None for key in keys}


def _composed(run: Run) -> Run:
    """The run with the chosen options and the values of dotted keys in .hydra."""
    try:
        config, chosen = schemas.config(run.path), schemas.choices(run.path)
    except Damaged as error:
        return run._replace(status="failed", error=str(error))
    return run._replace(composed={**dict(leaves(config or {})), **chosen})


def _written(value: object) -> str:
    """A value written like an override."""
    return json.dumps(value, separators=(",", ":")).replace('"', "")


def _values(metrics: Written) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if isinstance(value, int | float)}


def _shown(metrics: Written) -> Written:
    """Numbers and short texts, and lists with one number for each copy."""
    return {
        key: value
        for key, value in metrics.items()
        if key.endswith(COPIES) or not isinstance(value, list)
    }


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
