"""The nodes of a configuration that build something, and the targets that are allowed."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.importing import imported

PARTS = {
    "infobound.datasets": True,
    "infobound.models": True,
    "infobound.estimators": True,
    "infobound.regularizers": True,
    "infobound.runners": True,
    "infobound.runners.runs": False,
    "infobound.runners.runs.sweep": True,
    "torch.optim": True,
}
"""Modules and whether a configuration may name what is in them; the longest name decides."""
PLUGINS = (
    "hydra._internal.core_plugins",
    "hydra_plugins.grid",
    "hydra_plugins.optuna",
    "hydra_plugins.processes",
    "hydra_plugins.ray",
    "hydra_plugins.slurm",
)
"""Launchers and sweepers of Hydra and of this project."""
PLACES = {
    re.compile(r"hydra\.(launcher|sweeper)"): dict.fromkeys(PLUGINS, True),
    re.compile(r"hydra\.sweeper\.sampler\b.*"): {"optuna.samplers": True},
    re.compile(r"hydra\.sweeper\.pruner\b.*"): {"optuna.pruners": True},
    re.compile(r"hydra\b.*"): dict[str, bool](),
    re.compile(r".*"): PARTS,
}
"""Dotted keys and the modules that their targets may be in; the first match counts."""
MARKS = ("_target_", "_partial_", "_convert_", "_recursive_")
"""Keys of a node that say how to build it. Hydra also knows `_args_`, but signatures do not name
its values.
"""


def targets(cfg: DictConfig, *, resolve: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every node with a `_target_`: its dotted key, its target, and its values, with interpolations
    as written or resolved.
    """
    yield from nodes(OmegaConf.to_container(cfg, resolve=resolve), "")


def nodes(values: object, key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every node with a `_target_` among the plain values at a dotted key, like targets()."""
    if isinstance(values, dict):
        if "_target_" in values:
            yield key, str(values["_target_"]), values
        for name, child in values.items():
            yield from nodes(child, f"{key}.{name}" if key else str(name))
    elif isinstance(values, list):
        for index, child in enumerate(values):
            yield from nodes(child, f"{key}[{index}]")


def named(key: str, target: str, listed: Sequence[str]) -> Mapping[str, bool]:
    """Check a target by its name alone, without importing it, and return the places that it may be
    in: those of this key, and the modules that the user lists.

    Raises ConfigError if it is elsewhere, or names a private member of a module that is not the
    user's.
    """
    [own, *_] = (places for keys, places in PLACES.items() if keys.fullmatch(key))
    places = {**own, **dict.fromkeys(map(str, listed), True)}
    place = _innermost(target, places)
    hidden = any(name.startswith("_") for name in target.removeprefix(f"{place}.").split("."))
    if not places.get(place) or (hidden and place not in listed):
        raise ConfigError(_refusal(key, target, places))
    return places


def allowed(key: str, target: str, listed: Sequence[str]) -> Callable[..., Any]:
    """The class or function that a target names, if it is in this project, in torch.optim, or in a
    module that the user lists. Of this project, only classes and their class methods are targets.

    Raises ConfigError otherwise.
    """
    places = named(key, target, listed)
    try:
        found = imported(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{key}._target_ {target} cannot be imported: {error}") from error
    home = str(getattr(found, "__module__", ""))
    made = inspect.isclass(found) or inspect.isclass(getattr(found, "__self__", None))
    place = _innermost(f"{home}.", places)
    ours = place.startswith("infobound.") and place not in listed
    if not callable(found) or not places.get(place) or (ours and not made):
        raise ConfigError(_refusal(key, target, places))
    return found


def _innermost(name: str, places: Iterable[str]) -> str:
    """The longest of the places that contain a dotted name, empty if none does."""
    return max((each for each in places if name.startswith(f"{each}.")), key=len, default="")


def _refusal(key: str, target: str, places: Mapping[str, bool]) -> str:
    known = [each for each, opened in places.items() if opened and not _innermost(each, places)]
    where = ", ".join(known) or "a module of yours"
    return (
        f"{key}._target_ must be in {where}, got {target}; allow_targets=[...] on the command line"
        " allows your own modules"
    )
