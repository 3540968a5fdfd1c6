"""Mutual information of rows in memory, as `experiment=my_data` estimates that of a file."""

import copy
import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from infobound.conf import refusals, schema
from infobound.conf.choices import brought, options
from infobound.conf.composing import composed
from infobound.datasets.files.arrays import Arrays
from infobound.datasets.in_memory import Values, paired
from infobound.errors import SettingError, UntrustedEstimate
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.result import Estimate
from infobound.runners.estimate.runner import Estimate as Runner
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.records import InMemory

EXPERIMENT = "experiment=my_data"
FIXED = ("x", "y", "mutual_information")
"""Arguments of the rows that no setting gives."""


def estimate(
    x: Values,
    y: Values,
    *,
    estimator: str | Estimator | SampleEstimator | None = None,
    critic: str | Critics | nn.Module | None = None,
    steps: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    overrides: Sequence[str] = (),
) -> Estimate:
    """I(X;Y) of paired rows x (N, ...) and y (N, ...) in nats: what `python run.py
    experiment=my_data` reads of them, to the same digits.

        infobound.estimate(x, y)
        infobound.estimate(frame["age"], frame[["income", "job"]], estimator="ksg")
        infobound.estimate(x, y, estimator="nwj", critic="separable", overrides=["dataset.folds=5"])

    x and y may be arrays, tensors on any device, Series, DataFrames, tables of other libraries, or
    lists; columns that hold no numbers become one column a category. A setting that is None is the
    experiment's own.

    Args:
        estimator: the name of an option of `conf/estimator`, or an object such as `KSG(k=5)`. The
            options that need a critic of a certain kind bring it.
        critic: the name of an option of `conf/critic`; what makes a network for the dimensions of x
            and y, such as `Separable`; or a network that takes x and y and gives `Scores`.
        steps: of training at most; it ends when the validation rows stop gaining.
        seed: of the folds, the weights and the batches.
        device: `cpu`, `cuda`, `cuda:N` or `auto`.
        threads: of the CPU while this runs.
        overrides: further settings as the command line takes them, such as `"runner.patience=4"`.

    Nothing is written, and random generators, threads and Hydra stay as they were. What makes the
    estimate doubtful is in the result's `warnings` and is an `UntrustedEstimate` warning too.

    Raises ValueError for rows or settings that cannot be used, and RunFailed if a value stops being
    finite.
    """
    rows = dict(zip(("dataset.x", "dataset.y"), paired(x, y), strict=True))
    named = {"runner.steps": steps, "seed": seed, "device": device, "threads": threads}
    given = _objects(estimator, critic)
    asked = [
        *_choices(estimator, critic),
        *(f"{key}={value}" for key, value in named.items() if value is not None),
        *overrides,
    ]
    cfg = _configured(asked)
    _shape_images(cfg, x, y, asked)
    result = _run(cfg, {**rows, **given})
    for warning in result.warnings:
        warnings.warn(warning, UntrustedEstimate, stacklevel=2)
    return result


def _choices(
    estimator: str | Estimator | SampleEstimator | None, critic: str | Critics | nn.Module | None
) -> Iterator[str]:
    """The options that are chosen by name, or by an object of ours."""
    name = estimator if isinstance(estimator, str) else _option(estimator)
    if name is not None:
        yield f"estimator={name}"
    if isinstance(critic, str):
        yield f"critic={critic}"
    elif critic is None and name in options("estimator"):
        yield from (f"critic={own}" for own in [brought("estimator", name).get("critic")] if own)
    elif critic is None and estimator is not None and not isinstance(estimator, str | Estimator):
        yield "critic=none"


def _option(estimator: Estimator | SampleEstimator | None) -> str | None:
    """The option that makes objects of this class, None for a class that is not ours."""
    module = type(estimator).__module__.rpartition(".")
    known = module[0] == "infobound.estimators" and module[2] in options("estimator")
    return module[2] if known else None


def _objects(
    estimator: str | Estimator | SampleEstimator | None, critic: str | Critics | nn.Module | None
) -> dict[str, object]:
    """What stands in place of a node of the configuration, by its key."""
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
                "must be the name of an option, a network or what makes one",
                critic,
                "use critic='separable' or critic=Separable",
            )
        given["critic"] = _copies(critic) if isinstance(critic, nn.Module) else critic
    return given


def _copies(network: nn.Module) -> Critics:
    """What makes a copy of a network for every fold."""

    def make(dim_x: int, dim_y: int) -> nn.Module:
        return copy.deepcopy(network)

    return make


def _configured(asked: Sequence[str]) -> DictConfig:
    """The experiment with the rows in memory in place of a file.

    Raises ConfigError for settings that it does not have.
    """
    try:
        cfg = composed([EXPERIMENT, *asked])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(refusals.explained(error, [EXPERIMENT, *asked])) from None
    if cfg.runner._target_ != f"{Runner.__module__}.{Runner.__qualname__}":
        raise ConfigError(f"runner must be estimate here, got {cfg.runner._target_}; leave it out")
    written = OmegaConf.to_container(cfg.dataset, resolve=False)
    settings = [name for name in inspect.signature(Arrays).parameters if name not in FIXED]
    assert isinstance(written, dict), "dataset is a node"
    kept = {key: value for key, value in written.items() if key in settings}
    other = {key: each for key, each in written.items() if key not in {"_target_", *settings}}
    if named := [key for key, value in other.items() if value not in (None, "???")]:
        raise ConfigError(
            f"dataset.{named[0]} must not be given here, got {other[named[0]]}; x and y are the"
            " rows"
        )
    cfg.dataset = {"_target_": f"{Arrays.__module__}.{Arrays.__qualname__}", **kept}
    return cfg


def _shape_images(cfg: DictConfig, x: Values, y: Values, asked: Sequence[str]) -> None:
    """Tell a critic of images the shape of those that were given as (N, height, width) or (N,
    channels, height, width), unless it was asked for another.
    """
    for key, images in {"shape": x, "shape_x": x, "shape_y": y}.items():
        shape = getattr(images, "shape", ())
        if len(shape) not in (3, 4) or cfg.critic is None or key not in cfg.critic:
            continue
        if not any(each.startswith(f"critic.{key}=") for each in asked):
            cfg.critic[key] = [*(1,) * (4 - len(shape)), *map(int, shape[1:])]


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
        interval=(low, high),
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
