"""Explain why Hydra could not compose a configuration: find the wrong override in the tree."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf

from infobound.conf.choices import CONFIGURATIONS, brought, groups, nearest, options
from infobound.conf.composing import composing
from infobound.errors import SettingError
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.identity import leaves

FOLDERS = ("--config", "-cd", "-cn", "-cp", "hydra.searchpath")
"""Beginnings of arguments that name other folders of configuration files."""
SHARED = "@_here_"
"""Suffix of a defaults list entry that is a settings file which several options share."""


def explained(error: Exception, overrides: Sequence[str]) -> str:
    """Say in one line what Hydra could not compose or start, with the nearest valid names."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return f"the run's folder cannot be written: {error}; set another name or hydra.run.dir"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} is not of the form key=value; the shell needs quotes around some"
            " values, as in 'seed=range(5)'"
        )
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ValueError):
        return str(error.__cause__)
    for each in _causes(error):
        if isinstance(each, ConfigError | SettingError):
            return str(each)
    foreign = any(each.startswith(FOLDERS) for each in overrides)
    wrong = _wrong(overrides) if isinstance(error, HydraException) and not foreign else None
    return wrong or " ".join(f"{error} {error.__cause__ or ''}".split())


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _wrong(overrides: Sequence[str]) -> str | None:
    """Say what is wrong with the first override that Hydra could not apply."""
    given = list(_parsed(overrides))
    chosen = [each for each in given if _is_choice(each)]
    for each in chosen:
        group = each.key_or_group
        if unknown := [name for name in _options(each) if name not in _available(group)]:
            return f"{group} has no option {unknown[0]}{nearest(unknown[0], options(group))}"
    for each in chosen:
        others = [other for other in chosen if other is not each]
        if each.key_or_group == "regularizer" and _lacks_noise(each, _Composed.of(others)):
            return (
                f"regularizer={_options(each)[0]} needs a model with noise layers; use"
                " runner=classify, or model=mlp_classifier"
            )
    everything = _Composed.of(chosen)
    unswept = _Composed.of([each for each in chosen if not each.is_sweep_override()])
    added = [each.key_or_group for each in given if each.is_add() or each.is_force_add()]
    for each in given:
        key = each.key_or_group
        if any(f"{key}.".startswith(f"{parent}.") for parent in added):
            continue
        if key in unswept.offered:
            continue
        if key in everything.offered:
            return (
                f"{key} belongs to options that are swept, which Hydra does not know at first;"
                f" write ++{key}=..."
            )
        words = [*groups(), *everything.leaves]
        return f"unknown key {key}{_offered(key) or nearest(key, words)}"
    return None


def _parsed(overrides: Sequence[str]) -> Iterator[Override]:
    parser = OverridesParser.create()
    for each in overrides:
        try:
            yield parser.parse_override(each)
        except HydraException:  # a flag of Hydra's command line, such as -m
            continue


def _is_choice(override: Override) -> bool:
    """Whether an override chooses an option of a group."""
    return bool(_available(override.key_or_group)) and not isinstance(override.value(), dict)


def _available(group: str) -> list[str]:
    folder = CONFIGURATIONS / group
    paths = [path.relative_to(folder) for path in folder.rglob("*.yaml")]
    with suppress(OSError):  # raised if no plugin of Hydra's has this group
        paths += map(Path, ConfigStore.instance().list(group))
    return [path.with_suffix("").as_posix() for path in paths]


def _options(choice: Override) -> list[str]:
    """The options that an override chooses, several in a sweep."""
    value = choice.value()
    if isinstance(value, ChoiceSweep):
        return [str(each) for each in value.list]
    listed = value if isinstance(value, list) else [value]
    return [str(each) for each in listed if each is not None]


def _lacks_noise(regularizer: Override, composed: "_Composed") -> bool:
    """Whether a regularizer chooses noise layers for a model that has no noise layers."""
    if "model/noise" in composed.choices:
        return False
    return any("model/noise" in brought("regularizer", each) for each in _options(regularizer))


@dataclass(frozen=True)
class _Composed:
    """The keys and groups of a configuration that can be overridden."""

    leaves: Sequence[str]
    offered: frozenset[str]
    """Every dotted key, including those of nodes with children, and every group with an option."""
    choices: frozenset[str]
    """The groups that have an option."""

    @classmethod
    def of(cls, overrides: Sequence[Override]) -> "_Composed":
        """Compose these choices, with the first of the swept ones; without any if they do not fit
        together.
        """
        chosen = [
            f"{each.get_key_element()}={option}"
            for each in overrides
            for option in _options(each)[:1]
        ]
        with composing():
            try:
                cfg = compose("config", chosen, return_hydra_config=True)
            except HydraException:
                cfg = compose("config", return_hydra_config=True)
        dotted = [key for key, _ in leaves(_unresolved(cfg))]
        choices = {key.partition("@")[0] for key in map(str, cfg.hydra.runtime.choices)}
        return cls(
            [key for key in dotted if not key.startswith("hydra.")],
            frozenset({parent for key in dotted for parent in _parents(key)} | choices),
            frozenset(choices),
        )


def _parents(key: str) -> Iterator[str]:
    """The key and the keys of its parent nodes."""
    while key:
        yield key
        key = key.rpartition(".")[0]


def _offered(key: str) -> str:
    """`; it is one of ...` with the options of the group that have this key, empty if there are
    none.
    """
    group, _, inner = key.partition(".")
    having = [
        f"{group}={option}"
        for option in options(group)
        if inner in (name for name, _ in leaves(_loaded(group, option)))
    ]
    return f"; it is one of {', '.join(having)}" if having else ""


def _loaded(group: str, option: str) -> dict[str, Any]:
    """The keys of an option's file, and of the settings files that it shares with other options."""
    own = _unresolved(OmegaConf.load(CONFIGURATIONS / group / f"{option}.yaml"))
    for each in own.pop("defaults", []):
        if isinstance(each, str) and each.endswith(SHARED):
            own = {**_loaded(group, each.removesuffix(SHARED)), **own}
    return own


def _unresolved(cfg: DictConfig | ListConfig) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
