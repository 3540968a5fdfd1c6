"""The contents of a run's files, and how each kind is read: whoever wrote a file, what is read
from it has the types that its readers expect, or Damaged names the file and says what is wrong.
"""

import json
import math
import re
import reprlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import yaml

from infobound import regular
from infobound.runners.runs.errors import Damaged
from infobound.runners.runs.metrics import COPIES, STDERR
from infobound.runners.runs.written import Written

T = TypeVar("T")
RESULT, METRICS, JOBS = "result.json", "metrics.jsonl", "jobs.json"
CONFIG, HYDRA = Path(".hydra") / "config.yaml", Path(".hydra") / "hydra.yaml"
A_FILE_OF_METRICS, HELD_OUT = "a file of metrics", "validation"
STATUSES = ("running", "completed", "failed", "refused", "interrupted")
MIB = 2**20
LARGEST, LARGEST_YAML = 64 * MIB, 2 * MIB
"""Bytes of the largest JSON and YAML file."""
DEEPEST = 32
"""Maximum depth of nested values."""
MOST = 1e300
"""Numbers beyond it are not finite, or become infinite where they are added."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CHOICES = re.compile(rb"^runtime:\n(?: .*\n)+", re.MULTILINE)
"""The part of Hydra's own configuration with the chosen options; reading the rest takes ten times
as long.
"""
OVERRIDE = re.compile(r"(\+\+?|~)?\w[\w./@:$-]*(=.*)?", re.DOTALL)
"""Anything else, such as --config-dir, would be an option of the command line."""
FOLDER = re.compile(r"(?!\.\.?$)[^/\0]+")


class Form(NamedTuple):
    """The type that a value in a file must have, and the value where there is none."""

    words: str
    holds: Callable[[object], bool]
    default: object = ...


def read(path: Path, what: str, parse: Callable[[bytes], T], most: float = math.inf) -> T | None:
    """The result of `parse` for the content of a file of at most `most` bytes, None if there is no
    file.

    Raises Damaged, which says what the file should be, if it cannot be read.
    """

    def whole(file: BinaryIO) -> T:
        if (size := regular.size(file)) > most:
            raise ValueError(f"it must have at most {most / MIB:g} MiB, got {size / MIB:.0f} MiB")
        return parse(file.read())

    return read_file(path, what, whole)


def read_file(path: Path, what: str, parse: Callable[[BinaryIO], T]) -> T | None:
    """The result of `parse` for a file, None if there is no file.

    Raises Damaged, which says what the file should be, if it cannot be read.
    """
    try:
        with regular.opened(path) as file:
            return parse(file)
    except FileNotFoundError:
        return None
    except (*regular.UNREADABLE, yaml.YAMLError) as error:
        raise Damaged(
            f"{path} is not {what}: {regular.reason(error)}; move it away, use another name, or"
            " start again with force=true"
        ) from error


def result(run: Path) -> Written | None:
    """The result.json of a run, None if there is none; what it lacks has a default, except its
    status.

    Raises Damaged if it is not the result of a run.
    """
    return read(run / RESULT, "the result of a run", partial(_object, OF_A_RESULT), LARGEST)


def jobs(sweep: Path) -> Written | None:
    """The jobs.json of a sweep, None if there is none.

    Raises Damaged if it is not the list of a sweep's jobs.
    """
    return read(sweep / JOBS, "the list of a sweep's jobs", partial(_object, OF_JOBS), LARGEST)


def lines(run: Path, size: int | None = None) -> list[Written]:
    """The lines of a run's metrics.jsonl, or of its first `size` bytes; none if there is no file.

    Raises Damaged if one is not a line of metrics.
    """
    return read(run / METRICS, A_FILE_OF_METRICS, lambda whole: _lines(whole[:size])) or []


def held_out(run: Path) -> list[Written]:
    """The lines of held-out readings that a run has written so far; none if there is no file.

    Raises Damaged if one is not a line of metrics.
    """

    def parse(whole: bytes) -> list[Written]:
        complete, _, _ = whole.rpartition(b"\n")
        return _lines(complete + b"\n", f'"{HELD_OUT}"'.encode())

    found = read(run / METRICS, A_FILE_OF_METRICS, parse) or []
    return [line for line in found if line["split"] == HELD_OUT]


def config(run: Path) -> Written | None:
    """The composed configuration of a run, None if there is none.

    Raises Damaged if it is not a configuration.
    """
    return read(run / CONFIG, "the configuration of a run", _config, LARGEST_YAML)


def choices(run: Path) -> Written:
    """The option of each group with which a run was composed; none if there is no file of them.

    Raises Damaged if the file has no options.
    """
    return read(run / HYDRA, "Hydra's configuration of a run", _choices, LARGEST_YAML) or {}


def formed(found: object, forms: Mapping[str, Form]) -> Written:
    """An object with values of these forms and defaults for what it lacks.

    Raises ValueError if it is another value.
    """
    if not isinstance(found, dict):
        raise ValueError(f"it must be an object, got {_shown(found)}")
    complete = {key: each.default for key, each in forms.items() if each.default is not ...} | found
    for key, form in forms.items():
        if key not in complete:
            raise ValueError(f"it must have {key}, {form.words}")
        if not form.holds(complete[key]):
            raise ValueError(f"{key} must be {form.words}, got {_shown(complete[key])}")
    return complete


def _object(forms: Mapping[str, Form], text: bytes) -> Written:
    """An object with values of these forms."""
    return formed(_json(text), forms)


def _json(text: bytes) -> object:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not _is_plain(found):
        raise ValueError(f"it must hold finite numbers and texts, at most {DEEPEST} deep")
    return found


def _lines(whole: bytes, only: bytes = b"") -> list[Written]:
    """The lines that contain some bytes."""
    *full, rest = whole.split(b"\n")
    if rest:
        raise ValueError(f"line {len(full) + 1} is cut off")
    return [_line(number, text) for number, text in enumerate(full, 1) if only in text]


def _line(number: int, text: bytes) -> Written:
    try:
        found = _object(OF_A_LINE, text)
        if not _are_metrics(found):
            raise ValueError("its metrics must be numbers")
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    return found


def _config(text: bytes) -> Written:
    runner = {"runner": Form("keys", lambda value: isinstance(value, dict), {})}
    found = formed(_yaml(text), runner)
    formed(found["runner"], {"steps": COUNT._replace(holds=lambda n: n is None or _is_count(n))})
    return found


def _choices(text: bytes) -> Written:
    options = Form("the chosen options", lambda value: isinstance(value, dict))
    part = CHOICES.search(text)
    runtime = _yaml(part[0]) if part else {}
    return formed(formed(runtime, {"runtime": options})["runtime"], {"choices": options})["choices"]


def _yaml(text: bytes) -> object:
    """A YAML document of plain values: a tag could name a type, and an alias could repeat its value
    until memory runs out.
    """
    depth = 0
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError(f"line {event.start_mark.line + 1} has an alias or an anchor")
        if getattr(event, "tag", None):
            raise ValueError(f"line {event.start_mark.line + 1} has a tag, {event.tag}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1
            raise ValueError(f"line {line} is nested more than {DEEPEST} deep")
    found = yaml.load(text, LOADER)
    if not _is_plain(found, infinite=True):
        raise ValueError("it must hold numbers, texts, lists and keys with values")
    return found


def _shown(value: object) -> str:
    return reprlib.repr(value)


def _is_plain(value: object, depth: int = DEEPEST, *, infinite: bool = False) -> bool:
    """Whether a value consists of numbers, texts that UTF-8 has, lists and objects."""
    if isinstance(value, str):
        return value.isascii() or value == value.encode("utf-8", "ignore").decode()
    if isinstance(value, int | float):
        return infinite or abs(value) < MOST
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(each, depth - 1, infinite=infinite) for each in value)
    if isinstance(value, dict):
        keys = all(isinstance(key, str) for key in value) and _is_plain("".join(value))
        return keys and _is_plain([*value.values()], depth, infinite=infinite)
    return value is None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_measured(name: str, value: object) -> bool:
    """Whether the value of a metric has the type with which reports calculate."""
    if name == "levels":
        return isinstance(value, list) and bool(value) and all(map(_are_metrics, value))
    if name.endswith(COPIES):
        return (
            isinstance(value, list)
            and bool(value)
            and all(each is None or _is_number(each) for each in value)
        )
    if name.endswith((STDERR, "_true", "_cap")):
        return value is None or _is_number(value)
    if name in ("kind", "stderr_of", "level"):
        return isinstance(value, str | int | float | None)
    return True


def _are_metrics(value: object) -> bool:
    return isinstance(value, dict) and all(_is_measured(*each) for each in value.items())


def _are_overrides(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, str) and OVERRIDE.fullmatch(each) for each in value
    )


def _are_named_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _are_jobs(value: object) -> bool:
    return isinstance(value, dict) and all(
        FOLDER.fullmatch(name) and _are_overrides(each) for name, each in value.items()
    )


def _is_error(value: object) -> bool:
    return value is None or (isinstance(value, dict) and isinstance(value.get("message"), str))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


COUNT = Form("a count", _is_count, 0)
NUMBER = Form("a number", _is_number, 0.0)
TEXT = Form("a text", lambda value: isinstance(value, str), "")
OF_A_RESULT: Mapping[str, Form] = {
    "status": Form(f"one of {', '.join(STATUSES)}", STATUSES.__contains__),
    "metrics": Form("metrics by name", _are_metrics, {}),
    "units": Form("units by name", _are_named_texts, {}),
    "score": Form("a number or null", lambda value: value is None or _is_number(value), None),
    "summary": TEXT,
    "seed": COUNT,
    "steps": COUNT,
    "seconds": NUMBER,
    "steps_per_second": NUMBER,
    "overrides": Form("a list of overrides", _are_overrides, []),
    "error": Form("null or an error with its message", _is_error, None),
}
OF_JOBS: Mapping[str, Form] = {
    "jobs": Form("lists of overrides by the names of folders", _are_jobs),
    "files": Form("texts by the names of folders", _are_named_texts, {}),
}
OF_A_LINE: Mapping[str, Form] = {
    "step": COUNT._replace(default=...),
    "split": TEXT._replace(default=...),
}

STATES = Form("states by name", lambda value: isinstance(value, dict))
OF_A_STATE: Mapping[str, Form] = {"step": COUNT._replace(default=...), "task": STATES}
"""The forms of the best state, and of any checkpoint."""
OF_A_CHECKPOINT: Mapping[str, Form] = {
    **OF_A_STATE,
    "seconds": Form("a number of seconds", lambda value: _is_number(value) and 0 <= value < MOST),
    "best": NUMBER._replace(default=...),
    "window": STATES,
    "metrics_bytes": COUNT._replace(default=...),
}
