"""Quotes for names that Hydra's grammar refuses without them, such as `Größe` or `mass (kg)`."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

FOREIGN = re.compile(r"[^\x00-\x7f]|[#&;<>!^~`]")
"""Characters that no value has without quotes."""


def quoted(overrides: Sequence[str]) -> list[str]:
    """Quote the values that Hydra cannot read otherwise: names in a list, and other values that
    have a character of no value. An override that quotes do not help stays as it is.
    """
    parser = OverridesParser.create()
    return [each if _read(parser, each) else _with_quotes(parser, each) for each in overrides]


def quote(value: str) -> str:
    """A value in quotes."""
    return "'" + value.replace("'", r"\'") + "'"


def _read(parser: OverridesParser, override: str) -> bool:
    """Whether Hydra can read an override; other words of its command line are none."""
    if override.startswith("-") or "=" not in override:
        return True
    try:
        parser.parse_override(override)
    except HydraException:
        return False
    return True


def _with_quotes(parser: OverridesParser, override: str) -> str:
    key, _, value = override.partition("=")
    parts = [_part(parser, key, part) for part in _split(value)]
    changed = f"{key}={','.join(parts)}"
    return changed if _read(parser, changed) else override


def _part(parser: OverridesParser, key: str, part: str) -> str:
    """A value, or one of several in a sweep."""
    if _read(parser, f"{key}={part}") or part.startswith("{"):
        return part
    if not (part.startswith("[") and part.endswith("]")):
        return quote(part) if FOREIGN.search(part) else part
    names = [
        name if _read(parser, f"{key}=[{name}]") else quote(name.strip())
        for name in _split(part[1:-1])
    ]
    return f"[{','.join(names)}]"


def _split(value: str) -> list[str]:
    """The parts of a value between commas that are outside quotes and brackets."""
    parts, depth, closing = [""], 0, ""
    for sign in value:
        if closing:
            closing = "" if sign == closing and not parts[-1].endswith("\\") else closing
        elif sign in "'\"" and not parts[-1].strip():
            closing = sign
        elif sign == "," and depth <= 0:
            parts.append("")
            continue
        depth += 0 if closing else (sign in "([{") - (sign in ")]}")
        parts[-1] += sign
    return parts
