"""Damages of files as hypothesis strategies: bits flipped, ends cut, values of another type, files
swapped, and what is no regular file.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
import yaml
from hypothesis import strategies as st

VALUES = [
    None,
    True,
    -1,
    10**400,
    1e300,
    float("nan"),
    "",
    "../../outside",
    "\0",
    "$x^$",
    "--config-dir=/",
    "x" * 300,
    [],
    {},
    [[1]],
    ["a"],
    {"a": {"b": 1}},
]
"""Values to put in the place of others."""
Damage = Callable[[Path], None]


def flipped(place: float, bit: int) -> Damage:
    """Flip one bit."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        if content:
            content[int(place * len(content))] ^= 1 << bit
        path.write_bytes(content)

    return damage


def cut(share: float) -> Damage:
    """Keep only this share of the file."""
    return lambda path: os.truncate(path, int(share * path.stat().st_size))


def written(content: bytes) -> Damage:
    """Write something else."""

    def damage(path: Path) -> None:
        path.write_bytes(content)

    return damage


def swapped(place: float) -> Damage:
    """Write what another file of the folder holds."""

    def damage(path: Path) -> None:
        others = sorted(each for each in path.parent.rglob("*") if each.is_file() and each != path)
        if others:
            shutil.copy(others[int(place * len(others))], path)

    return damage


def irregular(kind: str) -> Damage:
    """Put a FIFO, a folder, or a link to a device or to the file `outside` in its place."""

    def damage(path: Path) -> None:
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(kind)

    return damage


def retyped(place: float, value: object) -> Damage:
    """Put another value in one place of a JSON, YAML or checkpoint file."""

    def damage(path: Path) -> None:
        if path.suffix == ".json":
            path.write_text(json.dumps(replaced(json.loads(path.read_text()), place, value)))
        elif path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            changed = replaced(lines, place, value)
            texts = map(json.dumps, changed if isinstance(changed, list) else [changed])
            path.write_text("".join(f"{text}\n" for text in texts))
        elif path.suffix == ".yaml":
            tree = yaml.safe_load(path.read_text())
            path.write_text(yaml.safe_dump(replaced(tree, place, value)))
        elif path.suffix == ".pt":
            buffer = io.BytesIO()
            torch.save(replaced(torch.load(path, weights_only=True), place, value), buffer)
            content = buffer.getvalue()
            path.write_bytes(content + hashlib.sha256(content).digest())

    return damage


def replaced(tree: object, place: float, value: object) -> object:
    """The tree with another value in one of its places, counted from the root."""
    setters = [*_setters(tree)]
    at = int(place * (len(setters) + 1))
    if at == len(setters):
        return value
    setters[at](value)
    return tree


def _setters(tree: object) -> Iterator[Callable[[object], None]]:
    """Functions that put another value into one of the inner places."""
    if isinstance(tree, dict):
        for key, each in tree.items():
            yield partial(tree.__setitem__, key)
            yield from _setters(each)
    elif isinstance(tree, list):
        for index, each in enumerate(tree):
            yield partial(tree.__setitem__, index)
            yield from _setters(each)


def damages(outside: Path) -> st.SearchStrategy[Damage]:
    """Damages of one file; links lead to `outside`."""
    places = st.floats(0, 1, exclude_max=True)
    kinds = ["fifo", "folder", "/dev/zero", str(outside), "nowhere"]
    contents = st.sampled_from(
        [b"", b"[" * 99999, b"a: &a [x]\nb: [*a, *a]\n", b"a: !!python/name:os.system\n", b"\xff"]
    )
    return st.one_of(
        st.builds(flipped, places, st.integers(0, 7)),
        st.builds(cut, places),
        st.builds(written, st.one_of(contents, st.binary(max_size=64))),
        st.builds(swapped, places),
        st.builds(irregular, st.sampled_from(kinds)),
        st.builds(retyped, places, st.sampled_from(VALUES)),
        st.builds(retyped, places, st.sampled_from(VALUES)),
    )
