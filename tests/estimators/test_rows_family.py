"""Properties of every estimator of rows that conf/ lists; a new option is tested automatically."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor

from infobound.estimators.base import SampleEstimator

CONF = Path(__file__).parents[2] / "conf"
ROWS = 1000
TRUTH = -math.log(1 - 0.6**2) / 2
SMALL = {"steps": 2, "width": 16, "draws": 2, "folds": 2}
"""Settings of members that train: what is promised here holds for a short training too."""


def found() -> dict[str, SampleEstimator]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        names = sorted(path.stem for path in (CONF / "estimator").glob("*.yaml"))
        options = {name: compose("config", [f"estimator={name}"]) for name in names}
    return {
        name: instantiate(
            cfg.estimator, **{key: SMALL[key] for key in SMALL if key in cfg.estimator}
        )
        for name, cfg in options.items()
        if cfg.critic is None
    }


ESTIMATORS = found()
every = pytest.mark.parametrize("name", ESTIMATORS)


def rows(kind: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    source = np.random.default_rng(seed)
    x, noise = source.normal(size=(2, ROWS, 1))
    classes = source.integers(4, size=(ROWS, 1)).astype(float)
    pairs = {
        "normal": (x, 0.6 * x + 0.8 * noise),
        "independent": (x, noise),
        "wide": (np.hstack([x, source.normal(size=(ROWS, 2))]), 0.6 * x + 0.8 * noise),
        "classes": (classes, classes + source.integers(2, size=(ROWS, 1))),
        "mixed": (classes, classes + noise),
        "clipped": (np.maximum(x, 0), np.maximum(0.6 * x + 0.8 * noise, 0)),
        "of unlike scale": (np.hstack([x, 1e6 * source.normal(size=(ROWS, 1))]), 1e-6 * noise + x),
        "alike": (np.repeat(np.arange(4.0), ROWS // 4)[:, None],) * 2,
        "bent": (x, np.sin(3 * x)),
    }
    x, y = pairs[kind]
    return torch.tensor(x), torch.tensor(y)


KINDS = (
    *("normal", "independent", "wide", "classes", "mixed", "clipped", "of unlike scale"),
    *("alike", "bent"),
)
of_every_kind = pytest.mark.parametrize("kind", KINDS)


def test_the_family_is_found() -> None:
    assert {"ksg", "gaussian", "binned", "mixture_knn", "knn_entropy", "lnc", "flow"} <= set(
        ESTIMATORS
    )


@every
def test_normal_pairs_are_read_within_four_standard_errors(name: str) -> None:
    value, stderr = ESTIMATORS[name](*rows("normal"))
    assert abs(value - TRUTH) < 4 * stderr


@every
def test_independent_pairs_are_read_as_nothing(name: str) -> None:
    values = [ESTIMATORS[name](*rows("independent", seed)).value for seed in range(5)]
    assert abs(float(np.mean(values))) < 0.1


@cache
def read(name: str, kind: str, *, swapped: bool = False) -> tuple[float, float] | None:
    x, y = reversed(rows(kind)) if swapped else rows(kind)
    try:
        return ESTIMATORS[name](x, y)
    except ValueError:  # rows that the estimator refuses, either way round
        return None


@every
@of_every_kind
def test_swapping_x_and_y_changes_nothing(name: str, kind: str) -> None:
    assert read(name, kind) == pytest.approx(read(name, kind, swapped=True), abs=1e-6)


@every
@of_every_kind
def test_no_error_is_zero_because_the_terms_do_not_vary(name: str, kind: str) -> None:
    result = read(name, kind)
    assert result is None or (math.isfinite(result[0]) and result[1] >= 1 / ROWS)
