"""Hydra's loader, which refuses what could run code before anything of a configuration is built."""

import typing
from collections.abc import Iterator, Mapping, Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from infobound.conf.foreign import Repository, Setting, refuse, settings_of
from infobound.conf.schema import Root, check_root
from infobound.conf.signatures import signature
from infobound.conf.targets import allowed, named, nodes, targets
from infobound.reserved import RESERVED
from infobound.runners.runs.errors import ConfigError

BUILT = ("launcher", "sweeper", "callbacks")
"""Nodes that Hydra builds."""
LOGGING = ("hydra_logging", "job_logging")
CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler")
"""Classes of the logging that ships with Hydra and this project."""
STREAMS = ("ext://sys.stderr", "ext://sys.stdout")
BROKEN = (ValueError, TypeError, AttributeError, LookupError, AssertionError, RecursionError)
"""Errors that Hydra raises for a tree of a wrong form."""


class Loader(ConfigLoaderImpl):
    """Composes like Hydra, and checks the whole tree, with the node of Hydra itself."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = Repository(config_search_path)
        self._given = dict[str, Setting]()
        """The keys that files from elsewhere set in the configuration being composed."""

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a configuration.

        Raises ConfigError if it could run code other than this project's and the modules' that the
        user lists, and if a file from elsewhere sets what only the user may.
        """
        self._given = {}
        try:
            cfg = super().load_configuration(
                config_name, overrides, run_mode, from_shell, validate_sweep_overrides
            )
            check(cfg, self._given)
        except (HydraException, OmegaConfBaseException, ConfigError):
            raise
        except BROKEN as error:
            reason = " ".join(f"{type(error).__name__} {error}".split())
            files = " and ".join(dict.fromkeys(each.file for each in self._given.values()))
            told = f" with {files}" if files else ""
            raise ConfigError(f"the configuration{told} cannot be composed: {reason}") from error
        return cfg

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        self._given |= settings_of(loaded)
        return loaded


def check(cfg: DictConfig, given: Mapping[str, Setting]) -> None:
    """Check every target by its name, and the classes of the logging. If files from elsewhere take
    part, `given` are the keys that they set; then import the targets and refuse reserved keys.

    Raises ConfigError for the first that could run code.
    """
    if given:
        refuse(_reserved_in(typing.get_type_hints(Root, include_extras=True)), given)
    listed = cfg.get("allow_targets") or []
    written = OmegaConf.to_container(cfg)
    for key, target, _ in nodes(written, ""):
        named(key, target, listed)
    for name in BUILT:
        for key, target, _ in nodes(_resolved(cfg.hydra[name]), f"hydra.{name}"):
            named(key, target, listed)
    assert isinstance(written, dict)
    for name in LOGGING:
        _check_logging(written["hydra"][name], f"hydra.{name}", listed)
    if given:
        check_root(cfg)  # launchers use them before a job checks them
        refuse(_reserved_by_parts(cfg, listed), given)


def _resolved(node: object) -> object:
    """The plain values of a node, with interpolations resolved."""
    is_node = isinstance(node, DictConfig | ListConfig)
    return OmegaConf.to_container(node, resolve=True) if is_node else node


def _check_logging(written: object, key: str, listed: Sequence[str]) -> None:
    """Raise ConfigError for a class that does not ship, or an object that is not a stream."""
    if isinstance(written, dict):
        for name, value in written.items():
            own = f"{key}.{name}"
            mine = any(str(value).startswith(f"{module}.") for module in listed)
            if name in ("class", "()") and value not in CLASSES and not mine:
                raise ConfigError(f"{own} must be {' or '.join(CLASSES)}, got {value}")
            _check_logging(value, own, listed)
    elif isinstance(written, list):
        for index, value in enumerate(written):
            _check_logging(value, f"{key}[{index}]", listed)
    elif "://" in str(written) and written not in STREAMS:
        raise ConfigError(f"{key} must be {' or '.join(STREAMS)}, got {written}")


def _reserved_by_parts(cfg: DictConfig, listed: Sequence[str]) -> Iterator[str]:
    """The dotted keys that only the user may give, of all parts that are not Hydra's."""
    for key, target, _ in targets(cfg):
        if not key.startswith("hydra."):
            arguments = signature(allowed(key, target, listed)).arguments
            hints = {f"{key}.{name}": each.annotation for name, each in arguments.items()}
            yield from _reserved_in(hints)


def _reserved_in(hints: Mapping[str, object]) -> Iterator[str]:
    """The keys whose annotation is Reserved."""
    for key, hint in hints.items():
        if RESERVED in typing.get_args(hint):
            yield key
