"""What a configuration may say: checked before anything is built, refused in one line that names
the key and the way out.
"""

import difflib
import inspect
import pkgutil
import re
import traceback
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException, OverrideParseException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from infobound.conf.annotations import described, fits
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.identity import leaves
from infobound.runners.runs.naming import run_name

FOLDERS = (
    "infobound.datasets",
    "infobound.models",
    "infobound.estimators",
    "infobound.regularizers",
    "infobound.runners",
)
CONFIGURATIONS = Path(__file__).parent
MARKS = ("_target_", "_partial_", "_convert_", "_recursive_")
"""Keys that Hydra reads; it would also take `_args_`, whose values no signature names."""


@dataclass(frozen=True)
class Root:
    """The keys that belong to no group, with their types."""

    name: str | int | None
    seed: int
    device: str
    threads: int
    precision: Literal["fp32", "bf16"]
    compile: bool
    replicates: int
    force: bool
    data_dir: str
    allow_targets: Sequence[str]


def validate(cfg: DictConfig) -> None:
    """Check every key, type and target against the constructors' own signatures, without building
    anything.

    Raises ConfigError naming the first dotted key that is wrong.
    """
    root = typing.get_type_hints(Root)
    for key, annotation in root.items():
        if key not in cfg:
            raise ConfigError(f"{key} is missing; give {key}=...")
        _check_type(key, _value(cfg, key), annotation)
    run_name(cfg.name, "")
    for key, least in {"seed": 0, "threads": 1, "replicates": 1}.items():
        if cfg[key] < least:
            raise ConfigError(f"{key} must be at least {least}, got {cfg[key]}")
    for key, target, node in targets(cfg):
        _check_node(cfg, key, _allowed(key, target, cfg.allow_targets), node)
    if cfg.get("regularizer") is not None and "regularizer" not in cfg.runner:
        raise ConfigError(
            f"regularizer must be none for {cfg.runner._target_}, which trains nothing to be"
            f" regularised, got {cfg.regularizer._target_}; use runner=classify, gan or invariant"
        )
    groups = [path.name for path in CONFIGURATIONS.iterdir() if path.is_dir()]
    if unknown := [str(key) for key in cfg if key not in root and key not in groups]:
        raise ConfigError(f"unknown key {unknown[0]}{nearest(unknown[0], [*root, *groups])}")
    try:
        for key, target, _ in targets(cfg, resolve=True):
            _allowed(
                key, target, cfg.allow_targets
            )  # a resolver such as oc.create can write a target of its own
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"the configuration cannot be resolved: {str(error).splitlines()[0]}"
        ) from error


def built(cfg: DictConfig, key: str, places: Sequence[str] = ()) -> Any:
    """What the node at a key configures, checked as validate() checks it; its targets may lie in
    these places too.

    Raises ConfigError naming the first dotted key that is wrong.
    """
    for inner, target, node in targets(cfg):
        if f"{inner}.".startswith(f"{key}."):
            _check_node(cfg, inner, _allowed(inner, target, [*places, *cfg.allow_targets]), node)
    with refusing(cfg):
        return instantiate(OmegaConf.select(cfg, key), _convert_="all")


def nearest(word: str, words: Sequence[str]) -> str:
    """`; nearest: ...` with the words most like this one, empty if there are none."""
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
    others = f"; there are {', '.join(sorted(words)[:20])}" if words else ""
    return f"; nearest: {', '.join(close)}" if close else others


def targets(cfg: DictConfig, *, resolve: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every node with a `_target_`: its dotted key, the target, and its values, interpolations as
    written or resolved.
    """

    def walk(node: Any, key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if isinstance(node, dict):
            if "_target_" in node:
                yield key, str(node["_target_"]), node
            for name, child in node.items():
                yield from walk(child, f"{key}.{name}" if key else str(name))
        elif isinstance(node, list):
            for index, child in enumerate(node):
                yield from walk(child, f"{key}[{index}]")

    yield from walk(OmegaConf.to_container(cfg, resolve=resolve), "")


def _allowed(key: str, target: str, listed: Sequence[str]) -> Callable[..., Any]:
    """The class or function that a target names, where it lives in this project, in torch.optim, or
    in what the user lists.
    """
    places = [*FOLDERS, "torch.optim", *listed]
    inside = [place for place in places if target.startswith(f"{place}.")]
    refusal = (
        f"{key}._target_ must lie in {', '.join(places)}, got {target}; allow_targets=[...] lets"
        " your own modules in"
    )
    if not inside:
        raise ConfigError(refusal)
    try:
        found = pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{key}._target_ {target} cannot be imported: {error}") from error
    home = f"{getattr(found, '__module__', '')}."
    if not callable(found) or not any(home.startswith(f"{place}.") for place in places):
        raise ConfigError(refusal)
    return found


def _check_node(
    cfg: DictConfig, key: str, target: Callable[..., Any], node: dict[str, Any]
) -> None:
    signature = inspect.signature(target)
    hints = dict[str, Any]()
    with suppress(NameError):  # of types that a library imports for type checkers alone
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    arguments = [
        name
        for name, each in signature.parameters.items()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    for name in node:
        if name in MARKS:
            continue
        if name not in arguments:
            raise ConfigError(f"unknown key {key}.{name}{nearest(str(name), arguments)}")
        value = _value(cfg, f"{key}.{name}")
        if not (isinstance(value, DictConfig) and "_target_" in value):
            _check_type(f"{key}.{name}", value, hints.get(name, Any))
    for name in arguments:
        each = signature.parameters[name]
        at_run_time = node.get("_partial_") and each.kind != each.KEYWORD_ONLY
        if name not in node and each.default is each.empty and not at_run_time:
            raise ConfigError(f"{key}.{name} is missing; give {key}.{name}=...")


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


def _check_type(key: str, value: Any, annotation: Any) -> None:
    if not fits(value, annotation):
        group = key.replace(".", "/")
        choices = [f"{group}={option}" for option in options(group)]
        ways = f"; choose {' or '.join(choices)}" if choices else ""
        raise ConfigError(
            f"{key} must be {described(annotation)}, got"
            f" {'null' if value is None else repr(value)}{ways}"
        )


@contextmanager
def refusing(cfg: DictConfig) -> Iterator[None]:
    """Turn what constructors and readers of data raise inside the block into a ConfigError that
    names the dotted key.
    """
    try:
        yield
    except ConfigError:
        raise
    except InstantiationException as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise ConfigError(_attributed(cause, cfg)) from error
    except (ValueError, OSError) as error:
        raise ConfigError(_attributed(error, cfg)) from error


def _attributed(error: Exception, cfg: DictConfig) -> str:
    """The error's message behind the dotted key of the innermost configured object that was at work
    when it was raised.
    """
    nodes = [(key, get_object(target), node) for key, target, node in targets(cfg)]
    owner, values = "", dict[str, Any]()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        at_work = frame.f_locals.get("self", frame.f_locals.get("cls"))
        kind = at_work if inspect.isclass(at_work) else type(at_work)
        for key, target, node in nodes:
            if kind is getattr(target, "__self__", target):
                owner, values = key, node
    message = str(error).strip() or type(error).__name__
    argument = message.split(maxsplit=1)[0]
    if argument not in values:
        return f"{owner}: {message}" if owner else message
    pointed = re.fullmatch(r"\$\{([\w.]+)\}", str(values[argument]))
    return (pointed[1] if pointed else f"{owner}.{argument}") + message.removeprefix(argument)


def explained(error: Exception, overrides: Sequence[str]) -> str:
    """What Hydra could not compose or begin, in one line with the nearest names that it could."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return f"the run's folder cannot be written: {error}; give another name or hydra.run.dir"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} is not of the form key=value; the shell needs quotes around some, as"
            " in 'seed=range(5)'"
        )
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ValueError):
        return str(error.__cause__)
    message = " ".join(f"{error} {error.__cause__ or ''}".split())
    if found := re.search(r"raised while resolving interpolation: (.*?) full_key", message):
        return found[1]
    if found := re.search(r"In 'regularizer/(\w+)': Could not override 'model/noise'", message):
        return (
            f"regularizer={found[1]} needs a model with noise layers; use runner=classify, or"
            " model=mlp_classifier"
        )
    if found := re.search(r"Could not find '([\w/.-]+)/([^'/]+)'", message):
        group, option = found.groups()
        return f"{group} has no option {option}{nearest(option, options(group))}"
    if found := re.search(r"Could not override '(?:[\w/]+@)?([^']+)'", message) or re.search(
        r"Key '([^']+)' is not in struct", message
    ):
        if found[1] in (known := _known_keys(overrides)):
            return (
                f"{found[1]} is a key of options that are swept, which Hydra leaves out at first;"
                f" write ++{found[1]}=..."
            )
        return f"unknown key {found[1]}{_offered(found[1]) or nearest(found[1], known)}"
    return message


def options(group: str) -> list[str]:
    """The options of a group."""
    return sorted(path.stem for path in (CONFIGURATIONS / group).glob("*.yaml"))


def _offered(key: str) -> str:
    """`; it is one of ...` with the options of the key's group that have such a key, empty if there
    are none.
    """
    group, _, inner = key.partition(".")
    files = (
        (option, OmegaConf.load(CONFIGURATIONS / group / f"{option}.yaml"))
        for option in options(group)
    )
    having = [
        f"{group}={option}"
        for option, cfg in files
        if inner in (name for name, _ in leaves(_unresolved(cfg)))
    ]
    return f"; it is one of {', '.join(having)}" if having else ""


def _unresolved(cfg: DictConfig | ListConfig) -> dict[str, Any]:
    return typing.cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))


def _known_keys(overrides: Sequence[str]) -> list[str]:
    """Every dotted key that these choices of groups offer, the first of those that are swept, and
    the groups.
    """
    groups = [path.name for path in CONFIGURATIONS.iterdir() if path.is_dir()]
    choices = [
        (group, option.split(",")[0])
        for group, _, option in (each.partition("=") for each in overrides)
    ]
    chosen = [f"{group}={option}" for group, option in choices if group in groups]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGURATIONS), version_base="1.3"):
        try:
            cfg = compose("config", chosen)
        except HydraException:
            cfg = compose("config")
    keys = (key for key, _ in leaves(_unresolved(cfg)))
    return [*dict.fromkeys([*groups, *keys])]
