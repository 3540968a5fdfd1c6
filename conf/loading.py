"""Commands that load a run: find the run, and compose the command with the run's settings."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from infobound.conf.choices import brought, options
from infobound.conf.foreign import calls_resolver
from infobound.conf.quoting import quote
from infobound.errors import SettingError
from infobound.runners.runs import schemas
from infobound.runners.runs.identity import leaves
from infobound.runners.runs.run_directory import LAST
from infobound.runners.runs.trained_runs import folder_of, key_of, own_settings
from infobound.runners.runs.written import Written

LOAD = "runner.load"
OUTPUTS = Path("outputs")
"""Folders in which to look for runs that are named only by their settings."""
OF_THE_USER = ("allow_targets", "dataset.remote")
"""Overrides that are not taken from a run's folder, because someone else may have written it."""
DATA = "dataset"
"""The group whose options do not change what was trained, whatever they choose for a training."""
OVERRIDE = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@:-]*(=.*)?", re.DOTALL)
PLAIN = re.compile(r"[\w./@%+-]+")
"""Values that Hydra accepts without quotes."""
LISTED = 6
"""Maximum number of runs that an error lists."""


def with_settings(arguments: Sequence[str]) -> list[str]:
    """A command line with the settings of the run that `runner.load` names, before its own
    settings, which take precedence; unchanged if it names no run.

    A newly chosen option of a group starts with its own defaults. In a sweep over several runs the
    settings are to be given.

    Raises ValueError if there is no such run, or if there are several.
    """
    places = [at for at, each in enumerate(arguments) if key_of(each) == LOAD]
    named = _unquoted(arguments[places[-1]].partition("=")[2]) if places else "null"
    swept = {"-m", "--multirun"} & {*arguments} and "," in named and not Path(named).exists()
    if named in ("", "null") or swept:
        return [*arguments]
    path = located(named)
    given = [each for at, each in enumerate(arguments) if at not in places]
    kept = _beside(_recorded(folder_of(path)), given, schemas.choices(folder_of(path)))
    load = str(path) if PLAIN.fullmatch(str(path)) else quote(str(path))
    at = places[-1]
    before = [each for place, each in enumerate(arguments[:at]) if place not in places]
    _check(kept)
    return [*before, *kept, f"{LOAD}={load}", *arguments[at + 1 :]]


def _check(recorded: Iterable[str]) -> None:
    """Raise ValueError if an override from a run's folder is a flag of the command line, or calls a
    resolver: someone else may have written it.
    """
    for each in recorded:
        if not OVERRIDE.fullmatch(each) or calls_resolver(each):
            raise SettingError(LOAD, "must name a run whose overrides are plain values", each)


def located(named: str) -> Path:
    """Find the run, or its checkpoint, at a path, or the only completed run with some settings,
    such as `seed=3 regularizer=mmd`, optionally after a folder that contains it.

    Raises ValueError if there is none, or if there are several.
    """
    path = Path(named)
    if path.is_file() or (path / "result.json").is_file() or (path / LAST).is_file():
        return path
    if not path.exists() and "=" not in named:
        raise SettingError(
            LOAD, f"must name the folder of a run, but there is no result.json in {path}"
        )
    words = [named] if path.exists() else shlex.split(named)
    settings = dict(_setting(each) for each in words if "=" in each and not Path(each).exists())
    folders = [Path(each) for each in words if "=" not in each or Path(each).exists()]
    below = [*_trained(folders or [OUTPUTS])]
    found = [run for run in below if _made_with(run, settings)]
    if len(found) == 1:
        return found[0]
    where = " and ".join(map(str, folders or [OUTPUTS]))
    asked = f" with {' '.join(f'{key}={value}' for key, value in settings.items())}" * any(settings)
    shown = found or below
    raise SettingError(
        LOAD,
        f"must name one completed run, but below {where} there"
        f" {f'are {len(found)}' if found else 'is none'}{asked}",
        remedy=f"there are {_listed(shown)}" if shown else "train one first",
    )


def _listed(runs: Sequence[Path]) -> str:
    told = [f"{run} ({shlex.join(_recorded(run)) or 'defaults'})" for run in runs[:LISTED]]
    return ", ".join(told) + (f" and {len(runs) - LISTED} more" if len(runs) > LISTED else "")


def _recorded(run: Path) -> list[str]:
    """The overrides of a run that affect what was trained."""
    return own_settings((schemas.result(run) or {}).get("overrides", []))


def _trained(folders: Iterable[Path]) -> Iterator[Path]:
    """The completed runs with trained networks below some folders."""
    for folder in folders:
        for file in sorted(folder.rglob(LAST)):
            result = schemas.result(file.parent)
            if result is not None and result["status"] == "completed":
                yield file.parent


def _made_with(run: Path, settings: Mapping[str, str]) -> bool:
    """Whether a run has these settings, by its overrides or by default."""
    values = dict(leaves(schemas.config(run) or {}))
    known = {**values, **schemas.choices(run)}
    return all(
        key in known and known[key] in (value, yaml.safe_load(value))
        for key, value in settings.items()
    )


def _beside(recorded: Iterable[str], given: Sequence[str], choices: Written) -> list[str]:
    """The recorded overrides to keep next to the given ones."""
    keys = {*OF_THE_USER, *map(key_of, given)}
    kept = [each for each in recorded if key_of(each) not in keys]
    chosen = {key_of(each) for each in (*kept, *given)}
    anew, held = set[str](), list[str]()
    for group, option in map(_setting, given):
        if choices.get(group, option) != option:
            brings = brought(group, option) if option in options(group) else {}
            others = [each for each in brings if each not in chosen]
            if group == DATA:
                held += [f"{other}={choices[other]}" for other in others if other in choices]
                others = []
            anew |= {group, *others}
    return held + [
        each
        for each in kept
        if not any(key_of(each).startswith((f"{group}.", f"{group}/")) for group in anew)
    ]


def _setting(override: str) -> tuple[str, str]:
    return key_of(override), _unquoted(override.partition("=")[2])


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1].replace(rf"\{value[0]}", value[0]) if quoted else value
