"""Whether a value from a configuration file fits a type annotation, and what to call the annotation
where it does not.
"""

import inspect
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value of a configuration file is of the annotated type; an integer is a number
    too.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (Any, inspect.Parameter.empty):
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if annotation is types.NoneType:
        return value is None
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin is tuple and ... not in arguments:
        return (
            isinstance(value, list)
            and len(value) == len(arguments)
            and all(map(fits, value, arguments))
        )
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    return annotation in (bool, str) and isinstance(value, annotation)


def described(annotation: Any) -> str:
    """An annotation in words, such as `a positive integer or null`."""
    words = {
        int: "an integer",
        float: "a number",
        bool: "true or false",
        str: "a string",
        types.NoneType: "null",
    }
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(described(each) for each in arguments)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin is tuple:
        return f"a list of {len(arguments)} values"
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        return f"a list, each {described(arguments[0])}"
    return words.get(annotation, "an option of its group")
