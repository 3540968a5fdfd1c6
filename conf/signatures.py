"""The arguments that a configuration file may give a class or function."""

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
"""Modules of Protocol and nn.Module, whose constructors accept any keyword only to refuse it."""


@dataclass(frozen=True)
class Argument:
    """One key of a target."""

    annotation: object
    required: bool = False
    late: bool = False
    """Whether the caller of a partial may give it as a positional argument."""


@dataclass(frozen=True)
class Signature:
    """The keys of a target."""

    arguments: Mapping[str, Argument]
    others: Argument | None
    """The type of every other key, for a target with `**kwargs`."""
    settings: Mapping[str, type]
    """Parameters that are settings values, built from keys of the target's own node."""


def signature(target: Callable[..., Any]) -> Signature:
    """The keys of a target, including those of its settings values.

    A settings value is a dataclass with `flat = True`: its fields are keys of the target's node,
    and so are the fields of settings values inside it.
    """
    try:
        parameters = inspect.signature(target).parameters.values()
    except ValueError:  # for functions written in C
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
    """Whether the constructor accepts any keyword only to refuse it; for compiled networks, torch
    replaces that of nn.Module.
    """
    owner = next(each for each in inspect.getmro(kind) if "__init__" in vars(each))
    return {owner.__module__, getattr(kind.__init__, "__module__", None)} & {*REFUSING} != set()


def is_settings(kind: type) -> bool:
    """Whether values of this class are built from keys of the target's own node."""
    return dataclasses.is_dataclass(kind) and getattr(kind, "flat", False) is True


def _resolved(annotation: object, target: Callable[..., Any]) -> object:
    """The annotation with resolved forward references; object if one exists only for type
    checkers.
    """
    if annotation is inspect.Parameter.empty:
        return Any

    def holder() -> None: ...

    holder.__annotations__ = {"annotated": annotation}
    for names in _namespaces(target):
        with suppress(NameError, AttributeError, TypeError, SyntaxError):
            return typing.get_type_hints(holder, names, include_extras=True)["annotated"]
    return Any


def _namespaces(target: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """The namespaces of names in a target's annotations: its module, and those of its base
    classes.
    """
    found = inspect.unwrap(target.func if isinstance(target, functools.partial) else target)
    kinds = inspect.getmro(found) if inspect.isclass(found) else (found,)
    for each in kinds:
        yield vars(sys.modules.get(each.__module__, typing))
