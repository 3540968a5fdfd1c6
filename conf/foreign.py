"""Configuration files from elsewhere, which may choose and set parts, but not say what to trust.

A file is from elsewhere unless it belongs to `conf/` or to Hydra: with `--config-dir`,
`--config-path` or `hydra.searchpath`, or by a path that leads out of `conf/`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import hydra.conf
import yaml
from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from infobound.conf.choices import CONFIGURATIONS
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.identity import leaves

OWN = (CONFIGURATIONS.resolve(), Path(hydra.conf.__file__).resolve().parent)
"""Folders of this project's and Hydra's own configuration files."""
ELSEWHERE = "elsewhere"
"""Key of a loaded file's header that has the path of a file from elsewhere."""
BYTES, NODES, BRACKETS = 200_000, 100_000, 50
"""Largest size of a file from elsewhere, its size with its aliases written out, and the number of
brackets inside each other: the time to parse them grows with its square.
"""
REFERENCE = re.compile(r"\$\{[\w.\[\]]+\}")
"""An interpolation that refers to a key, and calls no resolver such as oc.env."""
PRINTED = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]*")
"""Text without characters that command a terminal, which an error would print."""
FREE = re.compile(
    r"hydra\.(mode|callbacks\..+|launcher\.(workers|slots|poll_seconds|num_cpus|num_gpus)"
    r"|sweeper\.(params\..+|trials|metric|direction|(sampler|pruner)\..+))"
)
"""Keys of Hydra's node that a file from elsewhere may set."""
SWEPT = "hydra.sweeper.params."
OVERRIDE = re.compile(r"\+{0,2}([A-Za-z_][\w./@:-]*)")
"""The key of an override that a file from elsewhere may add to those of the command line."""


def _is_own(source: ConfigSource) -> bool:
    own = {"pkg": "hydra.conf", "file": str(CONFIGURATIONS)}
    return source.scheme() == "structured" or source.path == own.get(source.scheme())


class Setting(NamedTuple):
    """A value in a file from elsewhere."""

    file: str
    value: object


class Repository(ConfigRepository):
    """Hydra's files, those from elsewhere checked before they are read."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        file = self._elsewhere(config_path)
        if file is None:
            return super().load_config(config_path)
        with _reading(str(file)):
            _check_text(file)
            loaded = super().load_config(config_path)
        if loaded is not None:
            loaded.header[ELSEWHERE] = str(file)
            if not isinstance(loaded.config, DictConfig):
                raise ConfigError(f"{file} must map keys to values, got a list")
            if OmegaConf.select(loaded.config, "hydra.searchpath") is not None:
                raise ConfigError(f"{file} {_only('hydra.searchpath')}")
        return loaded

    def _elsewhere(self, config_path: str) -> Path | None:
        """The file with a configuration, None if it is not from elsewhere or there is none."""
        inside = ".." not in config_path and not config_path.startswith("/")
        if inside and all(map(_is_own, self.sources)):
            return None  # without looking for it
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.scheme() == "structured":
            return None
        name = config_path if config_path.endswith(".yaml") else f"{config_path}.yaml"
        if source.scheme() == "pkg":
            file = Path(str(resources.files(source.path)), name)
        else:
            file = Path(source.path, name)
        place = file.resolve()
        return None if any(place.is_relative_to(folder) for folder in OWN) else file


def settings_of(loaded: ConfigResult) -> Mapping[str, Setting]:
    """The dotted keys that a file from elsewhere sets, also by overrides that it adds to those of
    the command line.

    Raises ConfigError for a setting of Hydra that only the user may give.
    """
    file = loaded.header.get(ELSEWHERE)
    if file is None:
        return {}
    written = OmegaConf.to_container(loaded.config, resolve=False)
    assert isinstance(written, dict)
    values = dict(leaves({str(key): value for key, value in written.items()}))
    found = {key: Setting(file, value) for key, value in values.items()}
    for key, value in values.items():
        if key.partition(".")[0] == "hydra" and not _is_free(key, value):
            raise ConfigError(f"{file} {_only(key)}")
        if key.startswith(SWEPT):
            swept = key.removeprefix(SWEPT)
            name = OVERRIDE.fullmatch(swept)
            if name is None or re.match(r"hydra\b", name[1]) or not str(value).isprintable():
                raise ConfigError(f"{file} {_only(f'{swept} by {SWEPT[:-1]}')}")
            found[name[1].partition("@")[0].replace("/", ".")] = Setting(file, str(value))
    return found


def refuse(reserved: Iterable[str], given: Mapping[str, Setting]) -> None:
    """Raise ConfigError if a file from elsewhere sets one of the keys that only the user may give,
    to more than nothing or the value of the same key at the top.
    """
    for key in reserved:
        for name, setting in given.items():
            same = f"{name}.".startswith(f"{key}.") or f"{key}.".startswith(f"{name}.")
            nothing = setting.value in (None, False, [], {}, f"${{{key.rpartition('.')[2]}}}")
            if same and not nothing:
                raise ConfigError(f"{setting.file} {_only(key)}")


def _only(key: str) -> str:
    return f"must not set {key}, which counts on the command line and in conf/ alone"


def _is_free(key: str, value: object) -> bool:
    """Whether a file from elsewhere may give Hydra this setting."""
    number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return FREE.fullmatch(key) is not None and (number or not key.startswith("hydra.launcher."))


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Name the file in errors about its text."""
    try:
        yield
    except ConfigError:
        raise
    except (yaml.YAMLError, RecursionError, UnicodeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{file} cannot be read as a configuration: {reason}") from error


def calls_resolver(text: str) -> bool:
    """Whether a text has an interpolation that is more than the name of another key."""
    return "${" in REFERENCE.sub("", text)


def _check_text(file: Path) -> None:
    """Raise ConfigError if a file from elsewhere is too large, or calls a resolver."""
    content = file.read_bytes()
    if len(content) > BYTES:
        raise ConfigError(f"{file} must have at most {BYTES} bytes, got {len(content)}")
    text = content.decode()
    opened = accumulate((char in "[{") - (char in "]}") for char in text)
    if max(opened, default=0) > BRACKETS:
        raise ConfigError(f"{file} must have at most {BRACKETS} brackets inside each other")
    root = yaml.compose(text, yaml.SafeLoader)
    if root is not None:
        _Text(str(file)).size(root)


class _Text:
    """Checks the nodes of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._sizes = dict[yaml.Node, int | None]()
        """Values in a node with its aliases written out; None in a node that is being counted."""

    def size(self, node: yaml.Node) -> int:
        if node not in self._sizes:
            self._sizes[node] = None
            self._sizes[node] = 1 + sum(map(self.size, _children(node)))
        size = self._sizes[node]
        if size is None or size > NODES:
            raise ConfigError(f"{self._file} must have at most {NODES} values, with its aliases")
        if isinstance(node, yaml.ScalarNode) and not PRINTED.fullmatch(node.value):
            raise ConfigError(
                f"{self._file} must have no control characters, got {_short(ascii(node.value))}"
            )
        if isinstance(node, yaml.ScalarNode) and calls_resolver(node.value):
            raise ConfigError(
                f"{self._file} must refer to other keys alone, as in ${{seed}}, got"
                f" {_short(node.value)}; give this value on the command line"
            )
        return size


def _children(node: yaml.Node) -> Sequence[yaml.Node]:
    """The values in a list, or the keys and values of a mapping."""
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
