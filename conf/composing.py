"""Compose the YAML tree from Python, also while another Hydra application is running."""

import copy
import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase
from omegaconf import DictConfig

from infobound.conf.choices import CONFIGURATIONS

LOCK = threading.RLock()
"""Hydra's state is global, so one thread composes at a time."""


@contextmanager
def composing() -> Iterator[None]:
    """Let `hydra.compose` read this tree inside the block; restore Hydra's state afterwards."""
    with LOCK:
        instance, versions = GlobalHydra.instance(), VersionBase.instance()
        hydra, version = instance.hydra, versions.version_base
        instance.clear()
        try:
            with initialize_config_dir(str(CONFIGURATIONS), version_base="1.3"):
                yield
        finally:
            GlobalHydra.set_instance(instance)
            instance.hydra, versions.version_base = hydra, version


def composed(overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration with these overrides; the caller may change it.

    Raises HydraException for overrides that cannot be applied.
    """
    return copy.deepcopy(_composed(tuple(overrides)))


@functools.lru_cache(maxsize=256)
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    with composing():
        return compose("config", [*overrides])
