"""The identity of a run: a hash of its configuration, and differences between configurations."""

import dataclasses
import hashlib
import inspect
import json
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from infobound.runners.runs.importing import imported
from infobound.runners.runs.written import Written

NOT_HASHED = ("name", "force", "device", "threads")
"""Top-level keys that do not change what a run computes."""
OURS = tuple(
    f"infobound.{folder}"
    for folder in ("datasets", "estimators", "models", "regularizers", "runners")
)
NAMED = 6
"""Maximum number of differences in an error message."""


def leaves(config: Written, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of a nested configuration with their values; a list is one value."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def essence(config: Written) -> Written:
    """The leaves that decide what a run computes.

    The components declare the others: a settings dataclass with `paces` only says when to write,
    and the number of steps does not count unless a class `counts_steps` (a static method of its
    settings), so that a longer run can continue a shorter one.
    """
    left_out = {*NOT_HASHED, "runner.steps"}
    for key, node, owner in _owners(config):
        if _declares(owner, "counts_steps", node):
            left_out -= {"runner.steps"}
        for part in parts_of(owner):
            if getattr(part, "paces", False):
                left_out |= {f"{key}.{each.name}" for each in dataclasses.fields(part)}
            if _declares(part, "counts_steps", node):
                left_out -= {"runner.steps"}
    values = dict(leaves(config))
    return {
        key: value
        for key, value in values.items()
        if key not in left_out and not key.startswith("sweep.")
    }


def parts_of(owner: object) -> Iterator[Any]:
    """The settings dataclasses whose fields are keys of a class's node."""
    try:
        hints = typing.get_type_hints(owner.__init__ if inspect.isclass(owner) else owner)
    except (NameError, TypeError):  # types that a library imports only for type checkers
        return
    for hint in hints.values():
        if dataclasses.is_dataclass(hint) and getattr(hint, "flat", False):
            yield hint
            yield from parts_of(hint)


def _owners(config: Written) -> Iterator[tuple[str, Written, object]]:
    """The dotted key of each group with a `_target_`, its node, and its class."""
    for key, node in config.items():
        if isinstance(node, Mapping) and "_target_" in node:
            with suppress(ImportError, AttributeError, ValueError):  # the module no longer exists
                yield key, node, _resolved(str(node["_target_"]))


def _resolved(target: str) -> object:
    """The class that a configuration names. It may be someone else's, so nothing is imported but
    our modules.

    Raises ValueError for other modules that are not imported yet.
    """
    module = target.rpartition(".")[0]
    if module not in sys.modules and not module.startswith(OURS):
        raise ValueError(f"{module} is not imported")
    return imported(target)


def _declares(owner: object, name: str, node: Written) -> bool:
    told = getattr(owner, name, None)
    return told is not None and bool(told(node))


def config_hash(config: Written) -> str:
    """Twelve hexadecimal digits that are equal for configurations that compute the same."""
    return hashlib.sha256(json.dumps(essence(config), sort_keys=True).encode()).hexdigest()[:12]


def differences(before: Written, after: Written) -> str:
    """The first differences in essence as `key: before -> after`, keys of both configurations
    first, and the number of further ones.
    """
    old, new = essence(before), essence(after)
    changed = [key for key in sorted({*old, *new}) if old.get(key, ...) != new.get(key, ...)]
    changed.sort(key=lambda key: key not in old or key not in new)
    said = [
        f"{key}: {old.get(key, 'absent')} -> {new.get(key, 'absent')}" for key in changed[:NAMED]
    ]
    return ", ".join(said) + (f" and {len(changed) - NAMED} more" if len(changed) > NAMED else "")
