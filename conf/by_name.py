"""Parts given by their names in conf/, or as objects."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from infobound.conf import composing, schema
from infobound.conf.choices import CONFIGURATIONS, options
from infobound.conf.quoting import quoted
from infobound.conf.refusals import explained
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.importing import imported


def composed(parts: Mapping[str, object], overrides: Sequence[str], *chosen: str) -> DictConfig:
    """Compose the configuration from `chosen`, then the parts given by name, then `overrides`.

    Raises ValueError for unknown keys or options, and for settings of a part that was given as an
    object.
    """
    if isinstance(overrides, str):
        raise SettingError("overrides", "must be a list of settings", repr(overrides))
    for group, given in parts.items():
        own = [each for each in overrides if each.startswith((f"{group}.", f"{group}="))]
        if own and given is not None and not isinstance(given, str):
            raise SettingError(
                "overrides",
                f"must not change {group}, which was given as an object",
                own[0],
                f"give the {group} by its name in conf/, or set these values where you create it",
            )
    names = [f"{group}={given}" for group, given in parts.items() if isinstance(given, str)]
    every = quoted([*chosen, *names, *overrides])
    try:
        return composing.composed(every)
    except HydraException as error:
        raise ConfigError(explained(error, every)) from error


def part(cfg: DictConfig, group: str, given: object) -> Any:
    """The object that was given, or the one built from the configuration."""
    return schema.built(cfg, group) if given is None or isinstance(given, str) else given


def with_shapes(
    cfg: DictConfig, x: int | Sequence[int], y: int | Sequence[int], overrides: Sequence[str]
) -> None:
    """Set the image shapes of a critic for images, unless `overrides` set them."""
    for key, shape in {"shape": x, "shape_x": x, "shape_y": y}.items():
        told = any(each.startswith(f"critic.{key}=") for each in overrides)
        if cfg.critic is not None and key in cfg.critic and not (told or isinstance(shape, int)):
            cfg.critic[key] = list(shape)


def option_of(group: str, made: object) -> str | None:
    """The option of a group that builds objects of this class, None if there is none."""
    return next((name for name, kind in targets(group).items() if kind is type(made)), None)


@cache
def targets(group: str) -> Mapping[str, object]:
    """The target of each option of a group; options without a target are left out."""
    written = {
        name: OmegaConf.select(OmegaConf.load(CONFIGURATIONS / group / f"{name}.yaml"), "_target_")
        for name in options(group)
    }
    return {name: imported(target) for name, target in written.items() if target}
