"""Checks of a configuration before anything is built. An error is one line that names the key and
the way out.
"""

import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from infobound.conf.annotations import described, fits
from infobound.conf.building import Given, build
from infobound.conf.choices import CONFIGURATIONS, groups, nearest, options
from infobound.conf.signatures import Argument, signature
from infobound.conf.targets import MARKS, allowed, targets
from infobound.errors import SelfPairError
from infobound.reserved import Reserved
from infobound.runners.runs.errors import (
    ConfigError,
    Unanswerable,
    out_of_memory,
    without_memory,
)
from infobound.runners.runs.naming import run_name

__all__ = ["CONFIGURATIONS", "built", "prepared", "refusing", "validate"]

Prepared = TypeVar("Prepared")
MOST_THREADS = 1024
"""More threads than any processor has: with a million, OpenMP ends the process."""


@dataclass(frozen=True)
class Root:
    """The top-level keys that belong to no group, with their types."""

    name: str | int | None
    seed: int
    device: str
    threads: int
    precision: Literal["fp32", "bf16"]
    compile: bool
    replicates: int
    force: Reserved[bool]
    data_dir: Reserved[str]
    allow_targets: Reserved[Sequence[str]]


def validate(cfg: DictConfig, given: Given = MappingProxyType({})) -> None:
    """Check every key, type and target against the constructors' signatures, without building
    anything. Objects in `given` replace the configuration at their keys.

    Raises ConfigError naming the first dotted key that is wrong.
    """
    check_root(cfg)
    if not OmegaConf.is_dict(cfg.runner) or "_target_" not in cfg.runner:
        raise ConfigError(f"runner must be an option of its group, got {cfg.runner}")
    for key, target, node in targets(cfg):
        if key not in given:
            _check_node(cfg, key, allowed(key, target, cfg.allow_targets), node, given)
    if cfg.get("regularizer") is not None and "regularizer" not in cfg.runner:
        raise ConfigError(
            f"regularizer must be none for {cfg.runner._target_}, which trains no model to"
            f" regularise, got {cfg.regularizer._target_}; use runner=classify, gan or invariant"
        )
    known = [*typing.get_type_hints(Root), *groups()]
    if unknown := [str(key) for key in cfg if key not in known]:
        raise ConfigError(f"unknown key {unknown[0]}{nearest(unknown[0], known)}")
    try:
        for key, target, _ in targets(cfg, resolve=True):
            allowed(
                key, target, cfg.allow_targets
            )  # a resolver such as oc.create can introduce a target
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"the configuration cannot be resolved: {str(error).splitlines()[0]}"
        ) from error


def check_root(cfg: DictConfig) -> None:
    """Check the top-level keys that belong to no group.

    Raises ConfigError naming the first that is wrong.
    """
    for key, annotation in typing.get_type_hints(Root).items():
        if key not in cfg:
            raise ConfigError(f"{key} is missing; give {key}=...")
        _check_type(key, _value(cfg, key), annotation)
    run_name(cfg.name, "")
    for key, least in {"seed": 0, "threads": 1, "replicates": 1}.items():
        if cfg[key] < least:
            raise ConfigError(f"{key} must be at least {least}, got {cfg[key]}")
    if cfg.threads > MOST_THREADS:
        raise ConfigError(f"threads must be at most {MOST_THREADS}, got {cfg.threads}")


def built(
    cfg: DictConfig,
    key: str,
    given: Given = MappingProxyType({}),
) -> Any:
    """Check the node at a key like validate(), and build it. Objects in `given` replace the
    configuration at their keys.

    Raises ConfigError naming the first dotted key that is wrong.
    """
    for inner, target, node in targets(cfg):
        if f"{inner}.".startswith(f"{key}.") and inner not in given:
            target_of = allowed(inner, target, cfg.allow_targets)
            _check_node(cfg, inner, target_of, node, given)
    with refusing():
        return build(cfg, key, given).value


def prepared(
    cfg: DictConfig,
    given: Given = MappingProxyType({}),
    prepare: Callable[[Any], Prepared] = methodcaller("prepare"),
) -> Prepared:
    """Build the configured run and read its data, without writing anything.

    `prepare` turns the runner into the run, and objects in `given` are not built.

    Raises ConfigError naming the dotted key that is wrong.
    """
    with refusing():
        runner, [part] = build(cfg, "runner", given)
        with part.at_work():
            return prepare(runner)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn errors about settings or data inside the block into ConfigError."""
    try:
        yield
    except ConfigError:
        raise
    except SelfPairError as error:
        raise Unanswerable(str(error)) from error
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ConfigError(without_memory(error)) from error


def _check_node(
    cfg: DictConfig,
    key: str,
    target: Callable[..., Any],
    node: dict[str, Any],
    given: Collection[str] = (),
) -> None:
    takes = signature(target)
    for name in node:
        if name in MARKS:
            continue
        argument = takes.arguments.get(name, takes.others)
        if argument is None or name == "_args_":
            way_out = nearest(str(name), [*takes.arguments], _replacing(key, node))
            raise ConfigError(f"unknown key {key}.{name}{way_out}")
        value = _value(cfg, f"{key}.{name}")
        if not (isinstance(value, DictConfig) and "_target_" in value):
            _check_type(f"{key}.{name}", value, argument.annotation)
    for name, argument in takes.arguments.items():
        own = f"{key}.{name}"
        if name not in node and own not in given and _wanted(argument, node):
            raise ConfigError(f"{own} is missing; give {own}=...")


def _replacing(key: str, node: Mapping[str, object]) -> str:
    """The way out if a class of the user's own was given the settings of one of this project."""
    target, partial = str(node["_target_"]), ", _partial_: true" * ("_partial_" in node)
    if target.startswith(("infobound.", "torch.")):
        return ""
    return f"; ~{key} '+{key}={{_target_: {target}{partial}}}' starts from no settings"


def _wanted(argument: Argument, node: Mapping[str, object]) -> bool:
    """Whether a node must have this key."""
    return argument.required and not (bool(node.get("_partial_")) and argument.late)


def _value(cfg: DictConfig, key: str) -> Any:
    """The value at a dotted key, resolved.

    Raises ConfigError if it is missing or points nowhere.
    """
    try:
        if OmegaConf.is_missing(
            OmegaConf.select(cfg, key.rpartition(".")[0]) if "." in key else cfg,
            key.rpartition(".")[2],
        ):
            raise ConfigError(f"{key} is missing; give {key}=...")
        value = OmegaConf.select(cfg, key)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key} cannot be resolved: {str(error).splitlines()[0]}") from error
    return OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value


def _check_type(key: str, value: Any, annotation: object) -> None:
    shown = OmegaConf.to_container(value) if isinstance(value, DictConfig) else value
    if not fits(shown, annotation):
        group = key.replace(".", "/")
        choices = [f"{group}={option}" for option in options(group)]
        ways = f"; choose {' or '.join(choices)}" if choices else ""
        raise ConfigError(
            f"{key} must be {described(annotation)}, got"
            f" {'null' if value is None else repr(value)}{ways}"
        )
