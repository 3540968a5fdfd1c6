"""What a class or function may be given by a configuration file."""

import dataclasses
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

REFUSING = ("typing", "torch.nn.modules.module")
"""Whose constructors, that of Protocol and of nn.Module, accept any keyword only to refuse it."""


@dataclass(frozen=True)
class Argument:
    """One key that a target takes."""

    annotation: object
    required: bool = False
    late: bool = False
    """Whether whoever calls a partial may give it, by its place."""


@dataclass(frozen=True)
class Signature:
    """The keys that a target takes."""

    arguments: Mapping[str, Argument]
    others: Argument | None
    """What every other key has to be, for a target that takes any (`**kwargs`)."""
    settings: Mapping[str, type]
    """Parameters that are settings values, made of keys of the target's own node."""


def signature(target: Callable[..., Any]) -> Signature:
    """The keys of a target, those of its settings values among them.

    A settings value is a dataclass with `flat = True`: its fields are keys beside the others, and
    so are those of the settings values among them.
    """
    try:
        parameters = inspect.signature(target).parameters.values()
    except ValueError:  # of what is written in C
        return Signature({}, Argument(Any), {})
    arguments = dict[str, Argument]()
    others, settings = None, dict[str, type]()
    if inspect.isclass(target) and _refuses(target):
        parameters = ()
    for each in parameters:
        annotation = _resolved(each.annotation, target)
        if each.kind is each.VAR_KEYWORD:
            others = Argument(annotation)
        elif inspect.isclass(annotation) and is_settings(annotation):
            settings[each.name] = annotation
            arguments |= {
                name: replace(field, late=False)
                for name, field in signature(annotation).arguments.items()
            }
        elif each.kind is not each.VAR_POSITIONAL:
            arguments[each.name] = Argument(
                annotation, each.default is each.empty, each.kind is not each.KEYWORD_ONLY
            )
    return Signature(arguments, others, settings)


def _refuses(kind: type) -> bool:
    """Whether the constructor is one that accepts any keyword only to refuse it; compiling a
    network has torch put another function in the place of nn.Module's.
    """
    owner = next(each for each in inspect.getmro(kind) if "__init__" in vars(each))
    return {owner.__module__, getattr(kind.__init__, "__module__", None)} & {*REFUSING} != set()


def is_settings(kind: type) -> bool:
    """Whether values of this class are made of keys beside the others."""
    return dataclasses.is_dataclass(kind) and getattr(kind, "flat", False) is True


def _resolved(annotation: object, target: Callable[..., Any]) -> object:
    """The annotation with its forward references followed, anything where one is of a type that
    exists for type checkers alone.
    """
    if annotation is inspect.Parameter.empty:
        return Any

    def holder() -> None: ...

    holder.__annotations__ = {"annotated": annotation}
    for names in _namespaces(target):
        with suppress(NameError, AttributeError, TypeError, SyntaxError):
            return typing.get_type_hints(holder, names)["annotated"]
    return Any


def _namespaces(target: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Where the names in a target's annotations may be found: its module, and those of the classes
    that it derives from.
    """
    found = inspect.unwrap(target.func if isinstance(target, functools.partial) else target)
    kinds = inspect.getmro(found) if inspect.isclass(found) else (found,)
    for each in kinds:
        yield vars(sys.modules.get(each.__module__, typing))
