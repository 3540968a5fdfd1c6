"""The groups of the YAML tree and their options, and the nearest to a word that is none of them."""

import difflib
from collections.abc import Sequence
from pathlib import Path

CONFIGURATIONS = Path(__file__).parent


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


def nearest(word: str, words: Sequence[str]) -> str:
    """`; nearest: ...` with the words most like this one, empty if there are none."""
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
    others = f"; there are {', '.join(sorted(words)[:20])}" if words else ""
    return f"; nearest: {', '.join(close)}" if close else others
