"""The architecture: allowed imports, forbidden code, and one name for each thing."""

import ast
import functools
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
BELOW = {
    "models": set[str](),
    "datasets": set[str](),
    "estimators": {"models"},
    "regularizers": {"estimators", "models"},
    "runners": {"regularizers", "estimators", "models", "datasets"},
    "conf": {"runners"},
    "hydra_plugins": {"conf", "runners"},
    "run": {"infobound"},
    "infobound": {"conf", "runners", "regularizers", "estimators", "models", "datasets"},
}
"""Our folders, and the folders that each of them may import."""
FOR_ALL = ("infobound.errors.", "infobound.regular.", "infobound.reserved.")
"""The errors, what opens files, and the mark of settings that only the user gives, which every
folder may import.
"""
HOMES = {
    "hydra": ["infobound/*.py", "conf/*.py", "hydra_plugins/*"],
    "omegaconf": ["infobound/*.py", "conf/*.py", "hydra_plugins/*"],
    "matplotlib": ["runners/*/figures.py", "runners/runs/*plots.py"],
    "tensorboard": ["runners/runs/board.py"],
    "torch.utils.tensorboard": ["runners/runs/board.py"],
    "pandas": ["datasets/in_memory.py", "datasets/**/*.py", "runners/**/*.py"],
    "pyarrow": ["datasets/in_memory.py", "datasets/**/*.py"],
    "h5py": ["datasets/**/*.py"],
    "pooch": ["datasets/**/*.py"],
    "scipy": ["estimators/*", "models/critics/starting_copula.py", "runners/**/*.py"],
    "sklearn": ["runners/**/*.py"],
    "optuna": ["hydra_plugins/*"],
    "submitit": ["hydra_plugins/slurm.py"],
    "ray": ["hydra_plugins/ray.py"],
}
"""Libraries that only these files may import at run time."""
PACKAGES = [path for folder in BELOW for path in sorted((ROOT / folder).rglob("*.py"))]
SOURCES = [*PACKAGES, ROOT / "run.py"]
SILENT = [path for path in PACKAGES if path != ROOT / "infobound" / "launcher.py"]
OTHERS = [
    path for folder in ("tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))
]
OUTSIDE = ("infobound", "hydra_plugins", "run")
"""Modules that are imported by their own names."""
BARE = set(BELOW) - {*OUTSIDE}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """The dotted name by which a file is imported."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name if name.split(".")[0] in OUTSIDE else f"infobound.{name}"


def folder_of(name: str) -> str:
    """The folder of ours that contains a dotted name."""
    ours, _, inner = name.partition(".")
    folder = inner.partition(".")[0]
    return folder if ours == "infobound" and folder in BELOW else ours


def for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(node: ast.AST) -> Iterator[str]:
    """The dotted names that a file imports at run time, also inside functions."""
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "an import path is a file path here: no relative imports"
        yield from (f"{node.module}.{each.name}" for each in node.names)
    for child in ast.iter_child_nodes(node):
        if not for_types_alone(child):
            yield from imports(child)


@functools.cache
def imported_by(path: Path) -> frozenset[str]:
    return frozenset(imports(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_point_down(path: Path) -> None:
    folder = folder_of(module(path))
    bound = [name for name in imported_by(path) if not f"{name}.".startswith(FOR_ALL)]
    ours = {folder_of(name) for name in bound} & set(BELOW)
    assert ours <= {folder, *BELOW[folder]}


@pytest.mark.parametrize("path", [*SOURCES, *OTHERS], ids=relative)
def test_our_folders_are_imported_from_the_package(path: Path) -> None:
    bare = {name for name in imported_by(path) if name.partition(".")[0] in BARE}
    assert not bare, "another package of that name would take precedence; import infobound...."


def test_no_imports_run_in_a_circle() -> None:
    names = {module(path) for path in SOURCES}
    graph = {
        module(path): {
            each
            for each in names
            if any(f"{name}.".startswith(f"{each}.") for name in imported_by(path))
        }
        for path in SOURCES
    }
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_libraries_are_imported_only_where_allowed(path: Path) -> None:
    strangers = {
        library
        for library, homes in HOMES.items()
        if any(f"{name}.".startswith(f"{library}.") for name in imported_by(path))
        and not any(map(path.match, homes))
    }
    assert not strangers


@pytest.mark.parametrize("path", SILENT, ids=relative)
def test_packages_do_not_print(path: Path) -> None:
    calls = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    assert not [func for func in calls if isinstance(func, ast.Name) and func.id == "print"]


def test_no_file_collects_unrelated_helpers() -> None:
    files = [
        path for folder in (*BELOW, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    drawers = re.compile(r"_?(utils?|helpers?|common|misc)")
    assert not [
        relative(path)
        for path in files
        if any(drawers.fullmatch(part) for part in path.with_suffix("").parts)
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "estimator").glob("*.yaml")), ids=relative)
def test_an_estimator_has_one_name_everywhere(path: Path) -> None:
    target = yaml.safe_load(path.read_text())["_target_"]
    assert re.fullmatch(rf"infobound\.estimators\.{path.stem}\.[A-Z]\w*", target)
    assert (ROOT / "estimators" / f"{path.stem}.py").is_file()
