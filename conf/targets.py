"""The nodes of a configuration that build something, and the targets that are allowed."""

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from infobound.runners.runs.errors import ConfigError

FOLDERS = (
    "infobound.datasets",
    "infobound.models",
    "infobound.estimators",
    "infobound.regularizers",
    "infobound.runners",
)
MARKS = ("_target_", "_partial_", "_convert_", "_recursive_")
"""Keys of a node that say how to build it. Hydra also knows `_args_`, but signatures do not name
its values.
"""


def targets(cfg: DictConfig, *, resolve: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every node with a `_target_`: its dotted key, its target, and its values, with interpolations
    as written or resolved.
    """

    def walk(node: object, key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if isinstance(node, dict):
            if "_target_" in node:
                yield key, str(node["_target_"]), node
            for name, child in node.items():
                yield from walk(child, f"{key}.{name}" if key else str(name))
        elif isinstance(node, list):
            for index, child in enumerate(node):
                yield from walk(child, f"{key}[{index}]")

    yield from walk(OmegaConf.to_container(cfg, resolve=resolve), "")


def allowed(key: str, target: str, listed: Sequence[str]) -> Callable[..., Any]:
    """The class or function that a target names, if it belongs to this project, to torch.optim, or
    to a module that the user allows.
    """
    places = [*FOLDERS, "torch.optim", *listed]
    inside = [place for place in places if target.startswith(f"{place}.")]
    refusal = (
        f"{key}._target_ must be in {', '.join(places)}, got {target}; allow_targets=[...] allows"
        " your own modules"
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
