"""The YAML tree composed from Python, exactly as the command line composes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.version import VersionBase
from omegaconf import DictConfig

from infobound.conf.choices import CONFIGURATIONS
from infobound.conf.refusals import explained
from infobound.runners.runs.errors import ConfigError


@cache
def composed(*overrides: str) -> DictConfig:
    """The configuration with these overrides, such as `estimator=nwj` or `critic.negatives=1`.

    It is composed once for the same overrides: copy it before changing it. Whatever Hydra
    application is running goes on as before.

    Raises ConfigError for an override that the tree does not know, with the nearest that it does.
    """
    with _undisturbed():
        try:
            with initialize_config_dir(str(CONFIGURATIONS), version_base="1.3"):
                return compose("config", list(overrides))
        except HydraException as error:
            raise ConfigError(explained(error, overrides)) from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put aside the Hydra application that the caller may be part of."""
    application, base = GlobalHydra.instance().hydra, VersionBase.instance().version_base
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = application
        VersionBase.instance().version_base = base
