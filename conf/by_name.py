"""Parts by their names in conf/, or as objects."""

import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from infobound.conf import composing, schema
from infobound.conf.choices import CONFIGURATIONS, options
from infobound.conf.refusals import explained
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError


def composed(parts: Mapping[str, object], overrides: Sequence[str], *chosen: str) -> DictConfig:
    """The configuration with the parts that are names, `chosen` before them and `overrides` after
    them.

    Raises ValueError for what the tree does not know, or for a setting of a part that is an object.
    """
    for group, given in parts.items():
        own = [each for each in overrides if each.startswith((f"{group}.", f"{group}="))]
        if own and given is not None and not isinstance(given, str):
            raise SettingError(
                "overrides",
                f"must not change {group}, which was given as an object",
                own[0],
                f"name the {group} as in conf/, or set what it is to have where you make it",
            )
    names = [f"{group}={given}" for group, given in parts.items() if isinstance(given, str)]
    every = [*chosen, *names, *overrides]
    try:
        return composing.composed(every)
    except HydraException as error:
        raise ConfigError(explained(error, every)) from error


def part(cfg: DictConfig, group: str, given: object) -> Any:
    """What was given, or where that is a name or nothing what the configuration has built."""
    return schema.built(cfg, group) if given is None or isinstance(given, str) else given


def with_shapes(
    cfg: DictConfig, x: int | Sequence[int], y: int | Sequence[int], overrides: Sequence[str]
) -> None:
    """Tell a critic for images the shapes of its rows, unless `overrides` do."""
    for key, shape in {"shape": x, "shape_x": x, "shape_y": y}.items():
        told = any(each.startswith(f"critic.{key}=") for each in overrides)
        if cfg.critic is not None and key in cfg.critic and not (told or isinstance(shape, int)):
            cfg.critic[key] = list(shape)


def option_of(group: str, made: object) -> str | None:
    """The option of a group that makes objects of this class, None where there is none."""
    return next((name for name, kind in targets(group).items() if kind is type(made)), None)


@cache
def targets(group: str) -> Mapping[str, object]:
    """What each option of a group builds; options that build nothing are left out."""
    written = {
        name: OmegaConf.select(OmegaConf.load(CONFIGURATIONS / group / f"{name}.yaml"), "_target_")
        for name in options(group)
    }
    return {name: pkgutil.resolve_name(target) for name, target in written.items() if target}
