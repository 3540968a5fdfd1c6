"""The groups of the YAML tree and their options, and the nearest names to an unknown one."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

CONFIGURATIONS = Path(__file__).parent
OVERRIDE = "override /"
"""Prefix of a group in a defaults list that chooses another option."""


def groups() -> list[str]:
    """The groups at the top of the tree."""
    return sorted(
        path.name
        for path in CONFIGURATIONS.iterdir()
        if path.is_dir() and next(path.rglob("*.yaml"), None) is not None
    )


def options(group: str) -> list[str]:
    """The options of a group, such as those of `regularizer/density`."""
    return sorted(path.stem for path in (CONFIGURATIONS / group).glob("*.yaml"))


def brought(group: str, option: str) -> dict[str, str]:
    """The options of other groups that this option chooses, by their group."""
    loaded = OmegaConf.to_container(OmegaConf.load(CONFIGURATIONS / group / f"{option}.yaml"))
    defaults = loaded.get("defaults", []) if isinstance(loaded, dict) else []
    pairs = [
        (str(key), str(chosen))
        for each in defaults
        if isinstance(each, dict)
        for key, chosen in each.items()
    ]
    return {
        key.removeprefix(OVERRIDE).partition("@")[0]: chosen
        for key, chosen in pairs
        if key.startswith(OVERRIDE)
    }


def nearest(word: str, words: Sequence[str], otherwise: str = "") -> str:
    """`; nearest: ...` with the words most similar to this one. If there are none, `otherwise` or
    some of the words.
    """
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
    others = f"; there are {', '.join(sorted(words)[:20])}" if words else ""
    return f"; nearest: {', '.join(close)}" if close else otherwise or others
