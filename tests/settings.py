"""Runners built from flat settings, as in a configuration file."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from infobound.runners.critics.task import CriticTraining
from infobound.runners.estimate.by_critic import ByCritic
from infobound.runners.estimate.runner import Estimate

T = TypeVar("T")
TRAINING: dict[str, Any] = {
    "average": 0.0,
    "warmup": 0,
    "cosine": False,
    "checkpoint_every": 1000,
    "checkpoint_seconds": None,
    "seed": 0,
    "replicates": 1,
    "device": "cpu",
    "precision": "fp32",
    "compile": False,
}
"""Settings that the tests of most runners do not change."""


def flat(target: Callable[..., T], settings: Mapping[str, Any]) -> T:
    """Build `target` from flat keys: its own settings, and those of its settings dataclasses."""
    left = dict(settings)
    made = _made(target, left)
    if left:
        raise TypeError(f"{target} takes no {', '.join(left)}")
    return made


def waiting(target: Callable[..., T], **settings: Any) -> Callable[..., T]:
    """The target without its first argument, which is known at run time; keywords change
    settings.
    """

    def made(first: object, **changes: Any) -> T:
        return flat(partial(target, first), {**settings, **changes})

    return made


def _made(target: Callable[..., T], left: dict[str, Any]) -> T:
    called = target.func if isinstance(target, partial) else target
    hints = typing.get_type_hints(called.__init__ if inspect.isclass(called) else called)
    arguments = {}
    for name in inspect.signature(target).parameters:
        if name in left:
            arguments[name] = left.pop(name)
        elif dataclasses.is_dataclass(hints.get(name)) and getattr(hints[name], "flat", False):
            arguments[name] = _made(hints[name], left)
    return target(**arguments)


def training_of(estimate: Estimate) -> CriticTraining:
    """The task of an estimate by critics."""
    way = estimate.way
    assert isinstance(way, ByCritic)
    return way.task()
