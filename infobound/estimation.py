"""Estimate mutual information of rows in memory, by the same recipe as `experiment=my_data`."""

import copy
import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypedDict, cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from infobound.conf import by_name, schema
from infobound.conf.choices import brought
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.files.sides import Missing
from infobound.datasets.in_memory import Values, paired
from infobound.errors import SettingError, UntrustedEstimate
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics, Prepared
from infobound.in_training.own_critic import Dim, own_critic
from infobound.result import Estimate
from infobound.runners.estimate.runner import Estimate as Runner
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.records import InMemory

EXPERIMENT = "experiment=my_data"
FIXED = ("x", "y", "mutual_information", "groups", "places", "told")


class Reading(TypedDict, total=False):
    """Settings of the data set that say how x and y are read."""

    missing: Missing
    categories: Sequence[str] | None


"""Arguments of the rows that are not settings."""


def estimate(
    x: Values,
    y: Values,
    *,
    estimator: str | Estimator | SampleEstimator | None = None,
    critic: str | Critics | nn.Module | None = None,
    steps: int | None = None,
    groups: Values | None = None,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    overrides: Sequence[str] = (),
) -> Estimate:
    """Estimate I(X;Y) of paired rows x (N, ...) and y (N, ...) in nats, with the same result as
    `python run.py experiment=my_data`, to the last digit.

        infobound.estimate(x, y)
        infobound.estimate(frame["age"], frame[["income", "job"]], estimator="ksg")
        infobound.estimate(x, y, estimator="nwj", critic="separable", overrides=["dataset.folds=5"])

    x and y may be arrays, tensors on any device, Series, DataFrames, tables of other libraries, or
    lists; a column without numbers becomes one column for each category. Arguments that are None
    use the experiment's settings.

    Args:
        estimator: the name of an option of `conf/estimator`, or an object such as `KSG(k=5)`.
            Options that need a certain kind of critic choose it.
        critic: the name of an option of `conf/critic`; a function that creates a network for the
            dimensions of x and y, such as `Separable`; or a network, copied for every fold, that
            takes x and y and returns `Scores` or all pairs (B, B), or takes [x, y] and returns
            (B, 1).
        steps: maximum number of training steps; training stops earlier when the validation value
            no longer rises.
        groups: the group (N,) of each row, such as its subject; the rows of one group stay in one
            fold.
        seed: seed of the folds, the weights and the batches.
        device: `cpu`, `cuda`, `cuda:N` or `auto`.
        threads: number of CPU threads during this call.
        overrides: further settings as on the command line, such as `"runner.patience=4"`.

    Nothing is written, and the states of random generators, threads and Hydra do not change.
    Reasons to doubt the estimate are in the result's `warnings`, and are issued as
    `UntrustedEstimate` warnings.

    Raises ValueError for rows or settings that cannot be used, and RunFailed if a value becomes
    infinite or NaN.
    """
    named = {"runner.steps": steps, "seed": seed, "device": device, "threads": threads}
    asked = [f"{key}={value}" for key, value in named.items() if value is not None]
    own = [] if critic is not None else [f"critic={name}" for name in _brought_by(estimator)]
    parts = {"estimator": estimator, "critic": critic}
    cfg = by_name.composed(parts, overrides, EXPERIMENT, *own, *asked)
    by_name.with_shapes(cfg, _image(x), _image(y), overrides)
    reading = _put_in_memory(cfg)
    rows = {
        f"dataset.{name}": value
        for name, value in paired(x, y, groups, **reading)._asdict().items()
    }
    result = _run(cfg, {**rows, **_objects(estimator, critic, _shape(x), _shape(y))})
    for warning in result.warnings:
        warnings.warn(warning, UntrustedEstimate, stacklevel=2)
    return result


def _brought_by(estimator: str | Estimator | SampleEstimator | None) -> Sequence[str]:
    """The critic option that an estimator chooses, none if it chooses none."""
    if estimator is None:
        return []
    known = by_name.targets("estimator")
    for name, target in known.items():
        if estimator == name or type(estimator) is target:
            chosen = brought("estimator", name)
            return [chosen["critic"]] if "critic" in chosen else []
    return [] if isinstance(estimator, str | Estimator) else ["none"]


def _objects(
    estimator: str | Estimator | SampleEstimator | None,
    critic: str | Critics | nn.Module | None,
    shape_x: Dim | None,
    shape_y: Dim | None,
) -> dict[str, object]:
    """The objects that replace nodes of the configuration, by key."""
    given = dict[str, object]()
    if estimator is not None and not isinstance(estimator, str):
        if inspect.isclass(estimator) or not callable(estimator):
            raise SettingError(
                "estimator",
                "must be the name of an option or an estimator",
                estimator,
                "use estimator='ksg' or estimator=KSG()",
            )
        given["estimator"] = estimator
    if critic is not None and not isinstance(critic, str):
        if not callable(critic):
            raise SettingError(
                "critic",
                "must be the name of an option, a network or a function that creates one",
                critic,
                "use critic='separable' or critic=Separable",
            )
        given["critic"] = partial(_own, critic, shape_x, shape_y)
    return given


def _own(
    critic: Critics | nn.Module, shape_x: Dim | None, shape_y: Dim | None, dim_x: int, dim_y: int
) -> nn.Module:
    """A network for one fold; a network with a `prepare` is not wrapped."""
    made = copy.deepcopy(critic) if isinstance(critic, nn.Module) else critic(dim_x, dim_y)
    return (
        made if isinstance(made, Prepared) else own_critic(made, shape_x or dim_x, shape_y or dim_y)
    )


def _shape(values: Values) -> Sequence[int] | None:
    """The shape of a row of an array (N, ..., D), None for an array with at most two axes."""
    shape = [*map(int, getattr(values, "shape", ()))]
    return shape[1:] if len(shape) > 2 else None


def _image(values: Values) -> Dim:
    """(channels, height, width) of images (N, height, width) or (N, channels, height, width)."""
    shape = _shape(values)
    return 1 if shape is None or len(shape) > 3 else [*(1,) * (3 - len(shape)), *shape]


def _put_in_memory(cfg: DictConfig) -> Reading:
    """Replace the file of the experiment by x and y; return the settings by which to read them.

    Raises ConfigError for settings of other rows, or of another runner.
    """
    if cfg.runner._target_ != f"{Runner.__module__}.{Runner.__qualname__}":
        raise ConfigError(f"runner must be estimate here, got {cfg.runner._target_}; leave it out")
    written = cast(dict[str, object], OmegaConf.to_container(cfg.dataset, resolve=False))
    own = Reading.__annotations__
    settings = [name for name in inspect.signature(Arrays).parameters if name not in FIXED]
    other = {key: each for key, each in written.items() if key not in {"_target_", *settings, *own}}
    for key, value in other.items():
        if value not in (None, False, "???"):
            raise ConfigError(
                f"dataset.{key} must not be set here, got {value}; x and y are the rows"
            )
    kept = {key: written[key] for key in settings if key in written}
    cfg.dataset = {"_target_": f"{Arrays.__module__}.{Arrays.__qualname__}", **kept}
    return cast(Reading, {key: written[key] for key in own if key in written})


def _run(cfg: DictConfig, given: Mapping[str, object]) -> Estimate:
    record = InMemory()
    schema.validate(cfg, given)
    with _threads(cfg.threads):
        measured = schema.prepared(cfg, given, Runner.measuring)(record)
    metrics, critics = measured.outcome.metrics, measured.critics
    low, high = metrics["mi_interval"]
    estimator = given.get("estimator")
    return Estimate(
        mi=metrics["mi"],
        stderr=metrics["mi_stderr"],
        interval=(low, math.inf if high is None else high),
        lower_bound=metrics["mi_lower_bound"],
        kind=metrics["kind"],
        cap=metrics["mi_cap"],
        warnings=tuple(metrics["warnings"]),
        estimator=type(estimator).__name__ if estimator else cfg.estimator._target_.split(".")[-1],
        critic=nn.ModuleList(critics).eval() if critics else None,
        metrics=metrics,
        measured=measured,
        history=record.history(),
    )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
