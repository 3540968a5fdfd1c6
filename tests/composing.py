"""Hydra's composition, remembered: the tests compose this tree thousands of times, and for most the
same options are chosen.
"""

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigSource

from infobound import application
from infobound.conf.choices import CONFIGURATIONS

OURS = str(Path(CONFIGURATIONS).resolve())


class Hydra(NamedTuple):
    """Hydra's own classes, which it does not export."""

    loader: Any
    listing: Any
    """The module that lists the files of a choice of options."""

    @classmethod
    def found(cls) -> "Hydra":
        with initialize_config_dir(OURS, version_base="1.3"):
            loader = type(GlobalHydra.instance().config_loader())
        module = sys.modules[loader.__module__]
        return cls(loader, sys.modules[module.create_defaults_list.__module__])


@contextmanager
def remembered() -> Iterator[None]:
    """Compose the files of a choice of options once, and apply the other overrides to a copy. Trees
    that include a folder of a test's own are composed each time.
    """
    hydra = Hydra.found()
    compose_name = "_compose_config_from_defaults_list"
    listing, composing = hydra.listing.create_defaults_list, getattr(hydra.loader, compose_name)
    sources: list[Any] = Plugins.instance().discover(ConfigSource)
    [files_of] = [each for each in sources if each.scheme() == "file"]
    reading = files_of.load_config
    lists, trees, files = dict[object, Any](), dict[int, Any](), dict[str, Any]()

    def load_config(source: ConfigSource, config_path: str) -> Any:
        if not _is_our_folder(source.path):
            return reading(source, config_path)
        if config_path not in files:
            files[config_path] = reading(source, config_path)
        return copy.deepcopy(files[config_path])

    def create_defaults_list(
        repo: Any, config_name: str, overrides_list: list[Any], **settings: bool
    ) -> Any:
        overrides = hydra.listing.Overrides(repo=repo, overrides_list=overrides_list)
        values = {id(each) for each in overrides.config_overrides}
        chosen = [each.input_line for each in overrides_list if id(each) not in values]
        key = (config_name, *chosen, *settings.items())
        if not _is_ours(repo):
            return listing(repo, config_name, overrides_list, **settings)
        if key not in lists:
            lists[key] = listing(repo, config_name, overrides_list, **settings)
        return replace(lists[key], config_overrides=overrides.config_overrides)

    def compose(loader: Any, defaults: list[Any], repo: Any) -> Any:
        if not _is_ours(repo):
            return composing(loader, defaults, repo)
        if id(defaults) not in trees:
            trees[id(defaults)] = composing(loader, defaults, repo)
        return copy.deepcopy(trees[id(defaults)])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            sys.modules[hydra.loader.__module__], "create_defaults_list", create_defaults_list
        )
        patched.setattr(files_of, "load_config", load_config)
        patched.setattr(hydra.loader, compose_name, compose)
        yield


def _is_ours(repo: Any) -> bool:
    return all(_is_our_folder(each.path) for each in repo.get_sources() if each.scheme() == "file")


@cache
def _is_our_folder(path: str) -> bool:
    return str(Path(path).resolve()) == OURS


@contextmanager
def once() -> Iterator[None]:
    """Leave out the composition for hydra.mode alone, which only an overlay may set."""
    asked = application.asked_mode

    def asked_mode(hydra: Any, name: str, overrides: list[str]) -> object:
        overlaid = any(each.startswith(("sweep=", "experiment=", "hydra")) for each in overrides)
        return asked(hydra, name, overrides) if overlaid else None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(application, "asked_mode", asked_mode)
        yield
