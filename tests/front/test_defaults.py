"""Every part works with its defaults, which are the same in its constructor and its YAML."""

import dataclasses
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from infobound.regularizers.pivot_critic import SCORE_AND_PIVOT, PivotCritic
from infobound.runners.training.settings import Cadence, Execution, Optimisation

ROOT = Path(__file__).parents[2]
COMPLETE = ("estimator", "critic", "regularizer")
"""Groups whose constructors only need arguments that depend on the data, and other parts."""
OF_DATA = {"dim", "dim_x", "dim_y", "logits", "pivots", "rows", "shape", "shape_x", "shape_y"}
PARTS = {"critic", "density", "estimator", "optimizer"}
"""Arguments of regularizers that are options of other groups."""
SIZES: dict[str, Any] = {"dim_x": 4, "dim_y": 4, "dim": 4} | dict.fromkeys(
    ("shape", "shape_x", "shape_y"), (1, 2, 2)
)


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {}


def option(path: Path) -> str:
    return path.relative_to(ROOT / "conf").with_suffix("").as_posix()


OPTIONS = [
    path
    for path in sorted((ROOT / "conf").rglob("*.yaml"))
    if str(read(path).get("_target_")).startswith("infobound.")
]
ALONE = [path for path in OPTIONS if option(path).partition("/")[0] in COMPLETE]


def parameters(path: Path) -> Mapping[str, inspect.Parameter]:
    found = inspect.signature(pkgutil.resolve_name(read(path)["_target_"])).parameters
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: each for name, each in found.items() if each.kind not in variable}


def plain(value: object) -> object:
    """Convert tuples to lists, as in YAML."""
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("path", ALONE, ids=option)
def test_only_what_depends_on_the_data_has_no_default(path: Path) -> None:
    required = {name for name, each in parameters(path).items() if each.default is each.empty}
    assert required <= OF_DATA | (PARTS if option(path).startswith("regularizer") else set())


@pytest.mark.parametrize("path", ALONE, ids=option)
def test_a_part_can_be_built_from_only_that(path: Path) -> None:
    taken = parameters(path)
    if not {*taken} & (OF_DATA - {*SIZES}):
        target = pkgutil.resolve_name(read(path)["_target_"])
        few = {"channels": (2,)} if "channels" in taken else {}  # of images of 2 x 2
        assert target(**{name: SIZES[name] for name in taken if name in SIZES}, **few) is not None


@pytest.mark.parametrize("path", OPTIONS, ids=option)
def test_yaml_and_constructor_share_each_default(path: Path) -> None:
    lines = path.read_text().splitlines()
    taken = parameters(path)
    for key, value in read(path).items():
        default = taken[key].default if key in taken else inspect.Parameter.empty
        pointer = isinstance(value, str) and value.startswith(("${", "???"))
        if pointer or default is inspect.Parameter.empty or plain(default) == value:
            continue
        [line] = [each for each in lines if each.startswith(f"{key}:")]
        assert "#" in line, f"{key} is {default} in Python; say in a comment why it differs here"


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        (Optimisation, "runner/settings/training.yaml"),
        (Cadence, "runner/settings/training.yaml"),
        (Execution, "runner/settings/training.yaml"),
        (PivotCritic, "regularizer/settings/pivot_critic.yaml"),
    ],
)
def test_shared_settings_have_the_same_defaults_in_python_and_yaml(
    settings: type, path: str
) -> None:
    written = read(ROOT / "conf" / path)
    root = read(ROOT / "conf" / "config.yaml")
    compared = 0
    for field in dataclasses.fields(settings):
        value = written[field.name]
        if field.name in PARTS:
            continue
        if isinstance(value, str) and value.startswith("${"):
            value = root.get(value[2:-1], dataclasses.MISSING)
        if dataclasses.MISSING not in (field.default, value):
            assert value == plain(field.default), field.name
            compared += 1
    assert compared


def test_penalties_of_pivots_have_the_parts_of_their_runner() -> None:
    chosen = read(ROOT / "conf" / "runner" / "invariant.yaml")["defaults"]
    names = {key: name for each in chosen if isinstance(each, dict) for key, name in each.items()}
    critic = names["override /critic@_global_.critic"]
    written = read(ROOT / "conf" / "critic" / f"{critic}.yaml")
    told = SCORE_AND_PIVOT.keywords
    made = inspect.signature(SCORE_AND_PIVOT.func).parameters
    assert written.pop("_target_").endswith(SCORE_AND_PIVOT.func.__qualname__)
    assert written.pop("_partial_")
    assert written == {key: plain(told.get(key, made[key].default)) for key in written}
    estimator = names["override /estimator@_global_.estimator"]
    target = read(ROOT / "conf" / "estimator" / f"{estimator}.yaml")["_target_"]
    assert type(PivotCritic().estimator) is pkgutil.resolve_name(target)
    optimizer = PivotCritic().optimizer([torch.zeros(1, requires_grad=True)])
    settings = read(ROOT / "conf" / "regularizer" / "settings" / "pivot_critic.yaml")
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == settings["optimizer"]["lr"]
