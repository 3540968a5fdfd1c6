"""Columns with a small spread compared with their values, such as Unix time, are exact."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch

import infobound as ib
from infobound.datasets import transforms
from infobound.datasets.files import tables
from infobound.datasets.labelled.columns import Schema
from infobound.datasets.transforms import Transform
from infobound.estimators.ksg import KSG

SOURCE = np.random.default_rng(0)
ELAPSED = 600 * SOURCE.random(400)
LATER = ELAPSED + 5 * SOURCE.normal(size=400)
EPOCH = 1_700_000_000


@pytest.mark.parametrize("transform", ["standardise", "gaussian_ranks"])
def test_unix_seconds_read_as_the_seconds_that_passed(transform: Transform) -> None:
    settings = {"estimator": KSG(), "overrides": [f"dataset.transform={transform}"]}
    passed = ib.estimate(ELAPSED, LATER, **settings)
    for epoch in (EPOCH + ELAPSED, torch.tensor(EPOCH + ELAPSED)):
        assert ib.estimate(epoch, LATER, **settings).mi == pytest.approx(passed.mi, abs=1e-3)


def test_neighbouring_integers_above_what_float32_counts_are_no_constant() -> None:
    codes = 900_000_001 + SOURCE.integers(0, 4, 400)
    assert ib.estimate(codes, codes % 4 + SOURCE.normal(size=400), estimator="ksg").mi > 0.1


@pytest.mark.parametrize("scale", [1e-36, 1e-60, 1e-120])
@pytest.mark.parametrize("estimator", ["ksg", "gaussian"])
def test_tiny_values_read_as_large_ones(scale: float, estimator: str) -> None:
    large = ib.estimate(ELAPSED, LATER, estimator=estimator).mi
    assert ib.estimate(scale * ELAPSED, LATER, estimator=estimator).mi == pytest.approx(large)


@pytest.mark.parametrize("scale", [1e-160, 1e-310])
def test_values_whose_variance_is_zero_in_double_precision_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"^x must vary by more in column 0.* multiply the column"):
        ib.estimate(scale * ELAPSED, LATER, estimator="ksg")


def test_rows_that_are_not_centred_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^dataset.transform must centre columns .*=standardise"):
        ib.estimate(EPOCH + ELAPSED, LATER, estimator="ksg", overrides=["dataset.transform=none"])


@pytest.mark.parametrize("column", [ELAPSED, 1e6 + ELAPSED * 1e4, ELAPSED.astype(np.float32)])
def test_other_columns_stay_float32(column: np.ndarray) -> None:
    assert tables.table("x", column).dtype == torch.float32


@pytest.mark.parametrize("fit", [transforms.standardise, transforms.gaussian_ranks])
def test_what_was_fitted_to_float64_reads_rows_of_either_kind(fit: type) -> None:
    rows = torch.tensor(EPOCH + ELAPSED)[:, None]
    change = fit(rows)
    kept = {name: getattr(change, name) for name in type(change).__annotations__}
    restored = transforms.restored(kept)
    assert change(rows).dtype == restored(rows.float()).dtype == torch.float32


def labelled(names: Sequence[str], shift: float) -> pd.DataFrame:
    frame = pd.DataFrame({"_label": np.arange(400) % 2, "_pivot_time": ELAPSED, "seen": LATER})
    return frame.assign(**{name: frame[name] + shift for name in names})


def test_features_and_pivots_keep_what_varies_in_them() -> None:
    schema = Schema(categorical=None, missing="refuse")
    plain = schema(labelled([], 0)).rows
    shifted = schema(labelled(["_pivot_time", "seen"], EPOCH)).rows
    for one, other in [(plain.x, shifted.x), (plain.pivots, shifted.pivots)]:
        assert torch.allclose(one.double(), other - EPOCH, atol=1e-3)
