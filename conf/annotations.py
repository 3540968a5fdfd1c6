"""Type annotations: whether a value from a configuration file fits one, and a description for error
messages.
"""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

WORDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a string",
    types.NoneType: "null",
}


def fits(value: object, annotation: object) -> bool:
    """Whether a value of a configuration file has the annotated type.

    An integer counts as a number, a string as a path, and a node with a `_target_` as whatever it
    builds.
    """
    annotation = _plain(annotation)
    arguments = get_args(annotation)
    if annotation in (typing.Any, object, inspect.Parameter.empty):
        return True
    if _is_union(annotation):
        return any(fits(value, each) for each in arguments)
    if get_origin(annotation) is Literal:
        return any(value == each and type(value) is type(each) for each in arguments)
    kind = _kind(annotation)
    if kind not in WORDS and isinstance(value, Mapping) and "_target_" in value:
        return True
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if issubclass(kind, Enum):
        return isinstance(value, str) and value in kind.__members__
    if issubclass(kind, PurePath):
        return isinstance(value, str)
    if isinstance(value, list) and _takes(kind, list):
        return _lists(value, kind, arguments)
    if isinstance(value, dict) and _takes(kind, dict):
        return len(arguments) < 2 or all(
            fits(key, arguments[0]) and fits(each, arguments[1]) for key, each in value.items()
        )
    return kind in (bool, str, types.NoneType) and isinstance(value, kind)


def converted(value: object, annotation: object) -> object:
    """Convert a value that fits to the annotated class, if a file can only hold its text: a path,
    or the member of an enumeration.
    """
    annotation = _plain(annotation)
    if _is_union(annotation):
        fitting = [each for each in get_args(annotation) if fits(value, each)]
        return value if str in fitting or not fitting else converted(value, fitting[0])
    if isinstance(value, list) and len(set(get_args(annotation)) - {...}) == 1:
        return [converted(each, get_args(annotation)[0]) for each in value]
    kind = _kind(annotation)
    if isinstance(value, str) and issubclass(kind, Enum):
        return kind[value]
    return kind(value) if isinstance(value, str) and issubclass(kind, PurePath) else value


def described(annotation: object) -> str:
    """Describe an annotation in words, such as `a positive integer or null`."""
    annotation = _plain(annotation)
    arguments = get_args(annotation)
    if _is_union(annotation):
        return " or ".join(described(each) for each in arguments)
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, arguments))
    kind = _kind(annotation)
    if issubclass(kind, Enum):
        return " or ".join(kind.__members__)
    if issubclass(kind, PurePath):
        return "a path"
    if _takes(kind, list):
        if issubclass(kind, tuple) and arguments and ... not in arguments:
            return f"a list of {len(arguments)} values"
        return f"a list, each {described(arguments[0])}" if arguments else "a list"
    return "a mapping" if _takes(kind, dict) else WORDS.get(kind, "an option of its group")


def _lists(value: Sequence[object], kind: type, arguments: tuple[object, ...]) -> bool:
    if issubclass(kind, tuple) and arguments and ... not in arguments:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    return not arguments or all(fits(each, arguments[0]) for each in value)


def _plain(annotation: object) -> object:
    """Strip an annotation of parts that do not restrict the value, such as the note of Annotated or
    the name of a NewType. Types that are unknown at run time become object.
    """
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if isinstance(annotation, typing.NewType):
        return _plain(annotation.__supertype__)
    if annotation is None:
        return types.NoneType
    return typing.Any if isinstance(annotation, str | typing.ForwardRef | TypeVar) else annotation


def _is_union(annotation: object) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _kind(annotation: object) -> type:
    """The class of an annotation, or object if it is not a class."""
    found = get_origin(annotation) or annotation
    return found if inspect.isclass(found) else object


def _takes(kind: type, written: type) -> bool:
    """Whether this class accepts a list or a mapping, as a file writes it."""
    if kind is object:
        return False
    concrete = (list, tuple, set, frozenset) if written is list else (dict,)
    return (
        kind in concrete
        or (typing.is_typeddict(kind) and written is dict)
        or (inspect.isabstract(kind) and issubclass(written, kind))
    )
