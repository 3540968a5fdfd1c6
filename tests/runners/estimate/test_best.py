"""The best estimate lies between what held-out and training rows read."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from infobound.estimators.base import SampleEstimate
from infobound.runners.estimate.beside import Beside, Terms
from infobound.runners.estimate.best import best, with_best
from infobound.runners.runs import metrics as written
from infobound.runners.training.readings import Error, Reading, sentence


def reading(held_out: float) -> Reading:
    return Reading([held_out] * 3, Error(0.02, "folds", 27), "lower bound")


def beside(neighbours: float | None = None, y_columns: int = 1, **fields: object) -> Beside:
    found = None if neighbours is None else SampleEstimate(neighbours, 0.01)
    given: Any = {"rows": 1000, "order": (), "independent": True, "unlimited": None, **fields}
    return Beside(None, found, (1, y_columns), **given)


@pytest.mark.parametrize("held_out", [-0.05, 0.0, 0.02, 0.5, 2.0])
@pytest.mark.parametrize("gap", [0.0, 0.05, 0.3])
def test_it_lies_between_both_and_in_its_interval(held_out: float, gap: float) -> None:
    found = best(reading(held_out), held_out + gap, beside())
    low, high = found.interval
    assert max(0.0, held_out) <= found.value <= max(0.0, held_out + gap)
    assert 0 <= low <= found.value < high
    assert found.stderr > 0


@pytest.mark.parametrize("training", [-0.02, 0.0, 0.3])
def test_where_held_out_rows_show_nothing_it_is_nothing(training: float) -> None:
    found = best(reading(-0.01), training, beside())
    assert (found.value, found.interval[0]) == (0, 0)


def test_the_interval_of_nothing_reaches_to_what_the_rows_can_hide() -> None:
    ends = [
        best(reading(0.0), 0.0, beside(y_columns=columns, rows=rows)).interval[1]
        for columns, rows in ((1, 1000), (1, 50), (300, 1000))
    ]
    assert 0.009 <= ends[0] < ends[1] < ends[2]
    assert ends[1] >= 9 / 50
    assert best(reading(0.5), 0.5, beside(y_columns=300)).interval[1] < 0.6


def test_neighbours_replace_critics_in_few_columns_where_they_clearly_read_more() -> None:
    assert best(reading(1.0), 1.02, beside(1.2)).chosen == "nearest neighbours"
    assert best(reading(1.0), 1.02, beside(1.2)).value == 1.2
    for other in (beside(1.03), beside(1.2, y_columns=3), beside(1.2, independent=False)):
        assert best(reading(1.0), 1.02, other).chosen == "critics"


@pytest.mark.parametrize(
    ("noise", "both", "chosen"),
    [(0.5, 1000, "nearest neighbours"), (2.0, 1000, "critics"), (0.5, 400, "critics")],
)
def test_readings_of_the_same_rows_are_compared_row_by_row(
    noise: float, both: int, chosen: str
) -> None:
    """0.1 nats are three errors of the difference with little noise, but not of both readings."""
    source = torch.Generator().manual_seed(0)
    row, pmi = torch.randperm(1000, generator=source), torch.randn(1000, generator=source)
    apart = 0.1 + noise * torch.randn(1000, generator=source)
    read = {"row": row[:both], "pmi": pmi[row[:both]]}
    found = replace(beside(1.12), neighbours=SampleEstimate(1.12, 0.04))
    found = replace(found, terms=Terms(torch.arange(1000), (pmi + apart).double()))
    assert best(replace(reading(1.0), pointwise=read), 1.02, found).chosen == chosen
    assert best(reading(1.0), 1.02, found).chosen == "critics"


def test_the_interval_reaches_to_that_of_neighbours_in_few_columns() -> None:
    assert best(reading(1.0), 1.02, beside(1.12)).interval[1] > 1.12 + 1.9 * 0.01
    for other in (beside(0.5), beside(1.12, y_columns=3), beside(1.12, independent=False)):
        assert best(reading(1.0), 1.02, other) == best(reading(1.0), 1.02, beside())
    assert best(reading(0.0), 0.0, beside(0.06)).interval[1] < 0.06, "of nothing"


def test_the_interval_is_open_where_the_truth_may_be_infinite() -> None:
    found = with_best(reading(4.0), 4.1, beside(unlimited="it may be infinite"))
    assert found.interval[1] == math.inf
    assert found.stderr == with_best(reading(4.0), 4.1, beside()).stderr
    nothing = best(reading(0.0), 0.0, beside(unlimited="it may be infinite"))
    assert nothing.stderr > 0
    told: Any = written.result(found.metrics(truth=None))
    assert told["mi_interval"][1] is None
    assert "or more" in sentence(told)


def test_readings_above_the_interval_are_pointed_out() -> None:
    found = with_best(reading(1.0), 1.02, beside(2.0, y_columns=3))
    [warning] = found.warnings
    assert "nearest neighbours read 2.00 nats, above the interval" in warning
