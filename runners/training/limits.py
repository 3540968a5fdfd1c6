"""Limits of settings that several runners have."""

import inspect
from collections.abc import Callable

from torch import nn

from infobound.errors import SettingError


def at_least(settings: object, /, **least: int) -> None:
    """Raise ValueError where the setting of a name is below the number given for it."""
    for name, value in least.items():
        if getattr(settings, name) < value:
            raise SettingError(name, f"must be at least {value}", getattr(settings, name))


def positive(settings: object, /, *names: str) -> None:
    """Raise ValueError where the setting of a name is below 1."""
    for name in names:
        if (value := getattr(settings, name)) < 1:
            raise SettingError(name, "must be a positive integer", value)


def positive_or_null(settings: object, /, *names: str) -> None:
    """Raise ValueError where the setting of a name is a number below 1."""
    for name in names:
        if (value := getattr(settings, name)) is not None and value < 1:
            raise SettingError(name, "must be a positive integer or null", value)


def decay(average: float) -> None:
    """Raise ValueError unless `average` is the decay of a moving average."""
    if not 0 <= average < 1:
        raise SettingError(
            "average",
            "must be the decay of a moving average, 0 (none) or more and below 1",
            average,
        )


def encoders(model: Callable[[int], nn.Module] | None) -> Callable[[int], nn.Module]:
    """The same `model`.

    Raises ValueError unless it makes an encoder of a number of inputs and needs nothing else.
    """
    try:
        if callable(model):
            inspect.signature(model).bind(1)
            return model
    except TypeError:
        pass
    name = "none" if model is None else getattr(model, "func", type(model)).__name__
    raise SettingError("model", "must be an encoder", name, "use model=mlp")
