"""An estimate says once why it should not be trusted, on the command line as in Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import infobound as ib
from infobound.errors import UntrustedEstimate
from infobound.runners.estimate.columns import doubts

WIDE = np.random.default_rng(0).normal(size=(60, 40))
FEW = ["runner.batch_size=8", "runner.steps=1"]
INNER = {"critic": "inner_product", "overrides": ["dataset.transform=none", *FEW]}


def test_columns_are_doubted_from_a_fifth_of_the_rows_on() -> None:
    assert doubts(20, 100) == []
    assert doubts(21, 100) == [
        "x and y have 21 columns, too many for 100 rows, so the estimate may be far"
        " off; use fewer columns, or at least 105 rows to train on"
    ]


@pytest.mark.parametrize("estimator", ["dv", "ksg"])
def test_too_many_columns_for_the_rows_are_warned_of(
    estimator: str, command: Callable[..., Any]
) -> None:
    with pytest.warns(UntrustedEstimate, match="have 41 columns, too many for"):
        ib.estimate(WIDE, WIDE[:, 0], estimator=estimator, overrides=FEW)
    np.savez("pairs.npz", x=WIDE, y=WIDE[:, 0])
    data = ["dataset=arrays", "dataset.path=pairs.npz", f"estimator={estimator}", "critic=none"]
    ended = command("name=a", *data[: 3 if estimator == "dv" else 4])
    assert ended.code == 0, ended.err
    assert "warning: x and y have 41 columns, too many for" in ended.out
    result = json.loads(Path("outputs/runs/a/result.json").read_text())
    assert len(result["metrics"]["warnings"]) == len({*result["metrics"]["warnings"]})


@pytest.mark.filterwarnings("ignore::infobound.errors.UntrustedEstimate")
def test_a_warning_about_several_folds_is_given_once() -> None:
    """Equal rows score 100 each, and others 0; where rows are 1, everything scores 4."""
    equal = 10 * np.eye(60)
    told = ib.estimate(equal, equal, estimator="dv", **INNER).warnings
    assert [each for each in told if "product pairs" in each] == [
        "100.00 is above log 380, the number of its product pairs, and not reliable in all 3 folds"
    ]
