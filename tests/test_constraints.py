"""constraints.txt pins what pip installs, for every extra, and every dependency has a reason."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical
from packaging.version import Version

tomllib = pytest.importorskip("tomllib")
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: Mapping[str, Sequence[str]] = PROJECT["optional-dependencies"]
SEPARATE = {"docs", "slurm", "ray"}
"""Extras that pip does not install for the fast tests."""


def requirements(lines: Sequence[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


def pins() -> dict[str, Requirement]:
    """The lines of constraints.txt for this interpreter, by name."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = {canonical(each.name): each for each in requirements(lines)}
    assert len(found) == len(lines)
    return {n: each for n, each in found.items() if each.marker is None or each.marker.evaluate()}


def installed(wanted: list[Requirement]) -> Iterator[tuple[str, str]]:
    """Names and versions of requirements and of all that they require in turn."""
    seen = set[tuple[str, ...]]()
    while wanted:
        each = wanted.pop()
        key = (canonical(each.name), *sorted(each.extras))
        if key in seen:
            continue
        seen.add(key)
        found = metadata.distribution(each.name)
        yield key[0], found.version
        extras = [{"extra": extra} for extra in ("", *each.extras)]
        wanted += [
            other
            for other in requirements(found.requires or [])
            if other.marker is None or any(other.marker.evaluate(extra) for extra in extras)
        ]


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(extra, marks=[pytest.mark.slow] if extra in SEPARATE else [])
        for extra in ("", *EXTRAS)
    ],
)
def test_what_pip_installs_for_an_extra_is_pinned(extra: str) -> None:
    """Read their metadata, without the package index."""
    wanted = requirements(EXTRAS[extra] if extra else PROJECT["dependencies"])
    try:
        found = dict(installed(wanted))
    except metadata.PackageNotFoundError as error:
        pytest.skip(f"{error} is not installed here")
    pinned = pins()
    for name, version in sorted(found.items()):
        assert name in pinned, f"add {name}=={Version(version).public} to constraints.txt"
        assert pinned[name].specifier.contains(Version(version).public, prereleases=True), (
            f"{name} is {version}; run pip install -c constraints.txt, or change its pin"
        )


def test_every_pin_is_of_one_version() -> None:
    for each in pins().values():
        [specifier] = each.specifier
        assert specifier.operator == "=="


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Dependencies")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", section, re.MULTILINE)
    every = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    assert sorted(name for name, _ in rows) == sorted({each.name for each in requirements(every)})
    assert all(len(reason.split()) > 2 for _, reason in rows)
