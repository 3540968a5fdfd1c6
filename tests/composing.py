"""Cached Hydra compositions: the tests compose this tree thousands of times, mostly with the same
options.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra.core.global_hydra import GlobalHydra

from infobound.conf.choices import CONFIGURATIONS

OURS = str(Path(CONFIGURATIONS).resolve())


@contextmanager
def remembered() -> Iterator[None]:
    """Compose each choice of options once, and apply the other overrides to a copy. Trees with a
    test's own folder are composed each time.
    """
    listing, composing = (
        config_loader_impl.create_defaults_list,  # pyright: ignore[reportPrivateImportUsage]
        ConfigLoaderImpl._compose_config_from_defaults_list,
    )
    reading = FileConfigSource.load_config
    lists = dict[object, DefaultsList]()
    trees = dict[int, Any]()
    files = dict[str, Any]()

    def load_config(source: FileConfigSource, config_path: str) -> Any:
        if not _is_our_folder(source.path):
            return reading(source, config_path)
        if config_path not in files:
            files[config_path] = reading(source, config_path)
        return copy.deepcopy(files[config_path])

    def create_defaults_list(
        repo: Any, config_name: str, overrides_list: list[Any], **settings: bool
    ) -> DefaultsList:
        overrides = Overrides(repo=repo, overrides_list=overrides_list)
        values = {id(each) for each in overrides.config_overrides}
        chosen = [each.input_line for each in overrides_list if id(each) not in values]
        key = (config_name, *chosen, *settings.items())
        if not _is_ours(repo):
            return listing(repo, config_name, overrides_list, **settings)
        if key not in lists:
            lists[key] = listing(repo, config_name, overrides_list, **settings)
        found = lists[key]
        return replace(found, config_overrides=overrides.config_overrides)

    def compose(loader: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> Any:
        if not _is_ours(repo):
            return composing(loader, defaults, repo)
        if id(defaults) not in trees:
            trees[id(defaults)] = composing(loader, defaults, repo)
        return copy.deepcopy(trees[id(defaults)])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(config_loader_impl, "create_defaults_list", create_defaults_list)
        patched.setattr(FileConfigSource, "load_config", load_config)
        patched.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", compose)
        yield


def _is_ours(repo: Any) -> bool:
    return all(_is_our_folder(each.path) for each in repo.get_sources() if each.scheme() == "file")


@cache
def _is_our_folder(path: str) -> bool:
    return str(Path(path).resolve()) == OURS


@contextmanager
def once() -> Iterator[None]:
    """Skip the composition that only reads hydra.mode, which only an overlay may set."""
    with initialize_config_dir(OURS, version_base="1.3"):
        kind: Any = type(GlobalHydra.instance().hydra)
    asked: Callable[..., object] = kind.get_mode

    def get_mode(hydra: object, config_name: str, overrides: list[str]) -> object:
        overlaid = any(each.startswith(("sweep=", "experiment=", "hydra")) for each in overrides)
        return asked(hydra, config_name, overrides) if overlaid else None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, "get_mode", get_mode)
        yield
