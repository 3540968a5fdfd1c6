"""Types and shapes, checked while the tests run: jaxtyping's import hook names `checked`."""

from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Annotated, ParamSpec, TypeVar, cast, get_args, get_type_hints, runtime_checkable

import jaxtyping
from beartype import BeartypeConf, beartype
from beartype.vale import Is
from jaxtyping import AbstractArray
from typing_extensions import is_protocol

PACKAGES = ["infobound.estimators", "infobound.models.critics", "infobound.regularizers"]
CHECKS = 100
"""Checks in a test, about ten for each step of a critic; one takes a twentieth of a millisecond."""
INTEGERS_ARE_FLOATS = BeartypeConf(is_pep484_tower=True)

Function = TypeVar("Function", bound=Callable[..., object])
Inputs = ParamSpec("Inputs")
Output = TypeVar("Output")


def checked(function: Function) -> Function:
    """beartype that checks every protocol by its members, and the shapes inside named tuples, such
    as Scores and Bound.
    """
    for name, hint in function.__annotations__.items():
        for part in _parts(hint):
            if isinstance(part, type) and is_protocol(part):
                runtime_checkable(part)
        function.__annotations__[name] = _looked_into(hint)
    inspecting = beartype(conf=INTEGERS_ARE_FLOATS)(function)

    @wraps(function)
    def inspected(*args: object, **kwargs: object) -> object:
        REMAINING.spend()
        return inspecting(*args, **kwargs)

    return cast(Function, inspected)


class Remaining:
    """The checks that are left to the current test; trainings repeat the same shapes after that."""

    def __init__(self) -> None:
        self._checks = CHECKS

    def spend(self) -> None:
        self._checks -= 1
        if self._checks < 0:
            jaxtyping.config.update("jaxtyping_disable", True)

    def renew(self) -> None:
        self._checks = CHECKS
        jaxtyping.config.update("jaxtyping_disable", False)


REMAINING = Remaining()


def _parts(hint: object) -> Iterator[object]:
    yield hint
    for part in get_args(hint):
        yield from _parts(part)


@cache
def _looked_into(hint: object) -> object:
    if not (isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")):
        return hint
    shapes = {name: shape for name, shape in get_type_hints(hint).items() if _is_shape(shape)}
    fits = Is[lambda value: all(isinstance(getattr(value, n), s) for n, s in shapes.items())]
    return Annotated[hint, fits]


def _is_shape(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def unchecked(function: Callable[Inputs, Output]) -> Callable[Inputs, Output]:
    """The function without any checks inside it, so that torch.compile can trace it."""

    def call(*args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        jaxtyping.config.update("jaxtyping_disable", True)
        try:
            return function(*args, **kwargs)
        finally:
            jaxtyping.config.update("jaxtyping_disable", False)

    return call
