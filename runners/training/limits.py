"""Limits of settings that several runners share."""

import inspect
from collections.abc import Callable

from torch import nn

from infobound.errors import SettingError


def at_least(settings: object, /, **least: int) -> None:
    """Raise ValueError if a setting is below the limit given for its name."""
    for name, value in least.items():
        if getattr(settings, name) < value:
            raise SettingError(name, f"must be at least {value}", getattr(settings, name))


def positive(settings: object, /, *names: str) -> None:
    """Raise ValueError if one of these settings is below 1."""
    for name in names:
        if (value := getattr(settings, name)) < 1:
            raise SettingError(name, "must be a positive integer", value)


def positive_or_null(settings: object, /, *names: str) -> None:
    """Raise ValueError if one of these settings is a number below 1."""
    for name in names:
        if (value := getattr(settings, name)) is not None and value < 1:
            raise SettingError(name, "must be a positive integer or null", value)


def decay(average: float) -> None:
    """Raise ValueError unless `average` is the decay of a moving average."""
    if not 0 <= average < 1:
        raise SettingError(
            "average",
            "must be the decay of a moving average, at least 0 (none) and below 1",
            average,
        )


def encoders(model: Callable[[int], nn.Module] | None) -> Callable[[int], nn.Module]:
    """Return `model` after checking it.

    Raises ValueError unless it creates an encoder from just the number of inputs.
    """
    try:
        if callable(model):
            inspect.signature(model).bind(1)
            return model
    except TypeError:
        pass
    name = "none" if model is None else getattr(model, "func", type(model)).__name__
    raise SettingError("model", "must be an encoder", name, "use model=mlp")
