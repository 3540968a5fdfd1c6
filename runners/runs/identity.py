"""Which run a configuration is: its hash, and the keys in which two configurations differ."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

NOT_HASHED = ("name", "force", "device", "threads")
CADENCES = ("steps", "log_every", "eval_every", "checkpoint_every", "checkpoint_seconds")
"""Keys of the runner that say when it writes or ends; on a table `eval_every` also says which
weights stand to choice.
"""
NAMED = 6
"""Differences that are told, in a line that can be read."""


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of a nested configuration with their values; a list is one value."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def essence(config: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves that decide what a run computes; the steps are one where what happens before the
    last depends on it.
    """
    values = dict(leaves(config))
    left_out = {*NOT_HASHED, *(f"runner.{key}" for key in CADENCES)}
    until = values.get("regularizer.until")
    if (
        values.get("runner.cosine")
        or values.get("runner.instance_noise")
        or (until is not None and until < 1)
    ):
        left_out -= {"runner.steps"}
    return {
        key: value
        for key, value in values.items()
        if key not in left_out and not key.startswith("sweep.")
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits, equal for configurations that compute the same."""
    return hashlib.sha256(json.dumps(essence(config), sort_keys=True).encode()).hexdigest()[:12]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The first keys that differ in essence, as `key: before -> after`, those ahead that both have,
    and how many more do.
    """
    old, new = essence(before), essence(after)
    changed = [key for key in sorted({*old, *new}) if old.get(key, ...) != new.get(key, ...)]
    changed.sort(key=lambda key: key not in old or key not in new)
    said = [
        f"{key}: {old.get(key, 'absent')} -> {new.get(key, 'absent')}" for key in changed[:NAMED]
    ]
    return ", ".join(said) + (f" and {len(changed) - NAMED} more" if len(changed) > NAMED else "")
