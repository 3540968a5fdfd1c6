"""Build objects from a configuration, children first; errors name the dotted key of their cause."""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from omegaconf import DictConfig, OmegaConf

from infobound.conf.annotations import converted
from infobound.conf.signatures import Argument, Signature, signature
from infobound.conf.targets import MARKS, allowed
from infobound.errors import PartError, SettingError
from infobound.runners.runs.errors import ConfigError

POINTER = re.compile(r"\$\{(\w[\w.]*)\}")
"""An interpolation of the value of another key."""
WRONG = (
    ValueError,
    OSError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    ArithmeticError,
    RuntimeError,
)
"""Errors that a constructor raises for wrong arguments or files."""


@dataclass(frozen=True)
class Part:
    """A node with a `_target_`; it knows the dotted keys for its errors."""

    key: str
    keys: Mapping[str, str]
    """The dotted key of each argument; for an interpolation, the key that it points to."""
    parts: Sequence["Part"]
    """The parts among its arguments."""

    @contextmanager
    def at_work(self, wrong: tuple[type[Exception], ...] = (ValueError, OSError)) -> Iterator[None]:
        """Complete the dotted key of errors that this part, or one of its parts, raises inside the
        block.

        Raises PartError in place of the other errors in `wrong`.
        """
        try:
            yield
        except (ConfigError, PartError):
            raise
        except SettingError as error:
            if not any(error.completed(each.keys) for each in self.by_depth()):
                error.part = error.part or self.key
            raise
        except wrong as error:
            raise PartError(self.key, str(error).strip() or type(error).__name__) from error

    def by_depth(self) -> Iterator["Part"]:
        """This part, then its parts, then theirs."""
        level: Sequence[Part] = [self]
        while level:
            yield from level
            level = [part for each in level for part in each.parts]


class Configured(functools.partial[Any]):
    """A target with its settings that still needs arguments known only in the run; its errors name
    their dotted key too.
    """

    part: Part

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        with self.part.at_work():
            return super().__call__(*args, **kwargs)


class Built(NamedTuple):
    """The object at a key, with its parts."""

    value: Any
    parts: Sequence[Part]


Given: TypeAlias = Mapping[str, object]
"""Objects by the dotted key of the value or node that they replace."""


def build(cfg: DictConfig, key: str, given: Given = MappingProxyType({})) -> Built:
    """Build the object that the node at a key configures; objects in `given` are used as they are.

    Raises SettingError, PartError or ConfigError if the configuration is wrong.
    """
    return _Tree(cfg, given).at(key)


class _Tree:
    def __init__(self, cfg: DictConfig, given: Given) -> None:
        self._cfg, self._given = cfg, given
        self._written = OmegaConf.to_container(cfg, resolve=False)
        self._listed: Sequence[str] = cfg.get("allow_targets", ())

    def at(self, key: str) -> Built:
        return self._built(self._find(key), key)

    def _built(self, written: object, key: str) -> Built:
        if key in self._given:
            return Built(self._given[key], [])
        if isinstance(written, str) and "${" in written:
            pointed = self._pointed(written, key)
            return (
                self.at(pointed)
                if pointed != key
                else self._built(_resolved(OmegaConf.select(self._cfg, key)), key)
            )
        if written == "???":
            raise ConfigError(f"{key} is missing; give {key}=...")
        if isinstance(written, list):
            children = [self._built(each, f"{key}[{at}]") for at, each in enumerate(written)]
            return Built([each.value for each in children], _parts(children))
        if not isinstance(written, dict):
            return Built(written, [])
        if "_target_" in written:
            return self._made(written, key)
        children = {name: self._built(each, f"{key}.{name}") for name, each in written.items()}
        return Built(
            {name: each.value for name, each in children.items()}, _parts(children.values())
        )

    def _made(self, node: Mapping[Any, Any], key: str) -> Built:
        target = allowed(key, str(node["_target_"]), self._listed)
        takes = signature(target)
        names = {
            name: f"{key}.{name}" for name in takes.arguments if not takes.arguments[name].late
        }
        given = dict[str, Any]()
        children = list[Built]()
        beside = dict.fromkeys(name for name in takes.arguments if f"{key}.{name}" in self._given)
        for name, written in {**beside, **node}.items():
            if name in MARKS:
                continue
            own = f"{key}.{name}"
            names[name] = self._pointed(written, own)
            if node.get("_recursive_", True):
                child = self._built(written, own)
            else:
                child = Built(_resolved(OmegaConf.select(self._cfg, own)), [])
            children.append(child)
            given[name] = converted(
                child.value, (takes.arguments.get(name) or takes.others or Argument(Any)).annotation
            )
        part = Part(key, names, _parts(children))
        with part.at_work(WRONG):
            value = _called(target, takes, given, partial=bool(node.get("_partial_")))
        if isinstance(value, Configured):
            value.part = part
        return Built(value, [part])

    def _pointed(self, written: object, key: str) -> str:
        """The key that holds a value: its own key, or the one that its interpolation points to."""
        pointer = POINTER.fullmatch(written) if isinstance(written, str) else None
        if pointer is None:
            return key
        found = self._find(pointer[1])
        return key if found is ... else self._pointed(found, pointer[1])

    def _find(self, key: str) -> object:
        """The value written at a dotted key, or `...` if there is none."""
        found: object = self._written
        for name in key.split("."):
            found = found.get(name, ...) if isinstance(found, dict) else ...
        return found


def _called(
    target: Callable[..., Any], takes: Signature, given: dict[str, Any], *, partial: bool
) -> Any:
    """Call the target with its settings values and other arguments, or prepare the call."""
    for name, kind in takes.settings.items():
        inner = signature(kind)
        own = {field: given.pop(field) for field in inner.arguments if field in given}
        given[name] = _called(kind, inner, own, partial=False)
    return Configured(target, **given) if partial else target(**given)


def _parts(children: Iterable[Built]) -> list[Part]:
    return [part for child in children for part in child.parts]


def _resolved(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
