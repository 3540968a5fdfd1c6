"""The result of an estimate, in every form."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from matplotlib.figure import Figure

import infobound as ib
from infobound.estimators.base import Kind
from infobound.runners.runs.records import InMemory
from infobound.runners.training.readings import BEST

SOURCE = np.random.default_rng(0)
X = SOURCE.normal(size=(90, 1))
Y = X + SOURCE.normal(size=X.shape)
NOISE = SOURCE.normal(size=X.shape)
NOTEBOOK = "_repr_html_"
PICTURE = "_repr_png_"
"""The method that a notebook calls."""
FEW: Any = {"steps": 20, "overrides": ["runner.batch_size=16", "runner.eval_every=5"]}


@pytest.fixture(scope="module")
def by_critic() -> ib.Estimate:
    return ib.estimate(X, Y, critic="separable", **FEW)


@pytest.fixture(scope="module")
def by_rows() -> ib.Estimate:
    return ib.estimate(X, Y, estimator="ksg")


def test_the_interval_is_two_standard_errors_to_each_side(by_critic: ib.Estimate) -> None:
    low, high = by_critic.interval
    assert low + high == pytest.approx(2 * by_critic.mi)
    assert high - low == pytest.approx(2 * 1.96 * by_critic.stderr)
    assert by_critic.metrics["mi_interval"] == [low, high]


def test_a_lower_bound_says_so_and_no_other_estimator_does(
    by_critic: ib.Estimate, by_rows: ib.Estimate
) -> None:
    assert (by_critic.kind, by_critic.lower_bound) == ("lower bound", by_critic.mi)
    assert (by_rows.kind, by_rows.lower_bound) == ("neither", None)


def test_bits_are_nats_over_log_2(by_rows: ib.Estimate) -> None:
    assert by_rows.bits * math.log(2) == pytest.approx(by_rows.mi)


def test_every_row_has_its_pointwise_information(
    by_critic: ib.Estimate, by_rows: ib.Estimate
) -> None:
    table = by_critic.pointwise
    assert table is not None
    assert [*table] == ["row", "fold", "pmi"]
    assert sorted(table["row"]) == [*range(len(X))]
    assert sorted(table["fold"].unique()) == [0, 1, 2]
    assert by_rows.pointwise is None


def test_the_p_value_distinguishes_dependence_from_independence(by_rows: ib.Estimate) -> None:
    assert by_rows.p_value(19) == pytest.approx(1 / 20)
    assert ib.estimate(X, NOISE, estimator="ksg").p_value(19) > 1 / 20


def test_the_p_value_of_a_critic_is_the_same_each_time(by_critic: ib.Estimate) -> None:
    assert 0 < by_critic.p_value(50) == by_critic.p_value(50) <= 1
    assert by_critic.p_value() == by_critic.p_value(999)


def pickled(estimate: ib.Estimate) -> ib.Estimate:
    return pickle.loads(pickle.dumps(estimate))


@pytest.mark.parametrize("again", [pickled, copy.deepcopy])
def test_a_copy_of_a_result_answers_what_the_result_does(
    by_critic: ib.Estimate, by_rows: ib.Estimate, again: Callable[[ib.Estimate], ib.Estimate]
) -> None:
    for each in (by_critic, by_rows):
        other = again(each)
        assert str(other) == str(each)
        assert other.metrics == each.metrics
        assert other.p_value(9) == each.p_value(9)
        assert other.plot().axes[0].get_ylabel() == each.plot().axes[0].get_ylabel()
    other, table = again(by_critic), by_critic.pointwise
    assert table is not None
    assert table.equals(other.pointwise)


def test_no_permutations_are_refused(by_rows: ib.Estimate) -> None:
    with pytest.raises(ValueError, match=r"^permutations must be a positive integer, got 0$"):
        by_rows.p_value(0)


def test_the_critics_are_those_that_were_read(by_critic: ib.Estimate) -> None:
    assert by_critic.critic is not None
    assert len(by_critic.critic) == 3
    assert not by_critic.critic.training


def test_an_estimate_can_be_plotted(by_critic: ib.Estimate, by_rows: ib.Estimate) -> None:
    for result in by_critic, by_rows:
        figure = result.plot()
        assert isinstance(figure, Figure)
        assert figure.axes[0].get_ylabel() == "I(X;Y) in nats"
    assert getattr(by_rows.plot(), PICTURE)().startswith(b"\x89PNG")


def made(**fields: Any) -> ib.Estimate:
    """An estimate with these fields."""
    given = {
        "mi": 1.961,
        "stderr": 0.03,
        "interval": (1.9, 2.03),
        "lower_bound": 1.961,
        "kind": "lower bound",
        "cap": None,
        "warnings": (),
        "estimator": "DV",
        "critic": None,
        "metrics": {},
        "measured": None,
        "history": InMemory().history(),
    }
    return ib.Estimate(**{**given, **fields})


def test_the_text_of_an_estimate_is_readable() -> None:
    assert repr(made()) == "I(X;Y) = 1.96 [1.90, 2.03] nats, lower bound (DV)"
    assert str(made()).splitlines() == [
        "I(X;Y) = 1.96 [1.90, 2.03] nats (2.83 bits), lower bound (DV)",
        "The interval is of the lower bound (the truth may lie above).",
    ]
    nothing = made(mi=-0.001, interval=(-0.1, 0.1), kind="neither", estimator="KSG")
    assert repr(nothing) == "I(X;Y) = 0.00 [-0.10, 0.10] nats, neither bound (KSG)"


@pytest.mark.parametrize("kind", sorted({*get_args(Kind), BEST} - {"loss"}))
def test_every_kind_of_estimate_says_what_its_interval_is_of(kind: str) -> None:
    line = str(made(kind=kind)).splitlines()[1]
    assert line.startswith(("The interval is of ", "The interval is for "))
    assert (
        line.removeprefix("The interval is ").removesuffix(".")
        in getattr(made(kind=kind), NOTEBOOK)()
    )


@pytest.mark.parametrize(
    ("y", "overrides", "words"),
    [
        (Y, ["runner.cosine=false"], "training still improved "),
        (NOISE, ["optimizer.lr=1"], "critics read the validation rows best before the first step"),
    ],
    ids=["too short", "nothing found"],
)
def test_a_best_reading_at_either_end_of_the_training_is_warned_of(
    y: np.ndarray, overrides: list[str], words: str
) -> None:
    few = ["runner.batch_size=16", "runner.eval_every=10", "runner.average=0", *overrides]
    with pytest.warns(ib.UntrustedEstimate):
        found = ib.estimate(X, y, critic="separable", steps=20, overrides=few)
    assert any(words in warning for warning in found.warnings), found.warnings


def test_warnings_follow_the_number() -> None:
    warned = made(warnings=("it is near its cap", "a < b"))
    assert repr(warned).endswith("lower bound (DV), 2 warnings")
    assert str(warned).splitlines()[2:] == ["warning: it is near its cap", "warning: a < b"]


def test_a_notebook_shows_a_table_with_nothing_unescaped() -> None:
    warned = made(warnings=("a < b & c",), estimator="<script>", cap=4.16)
    shown: str = getattr(warned, NOTEBOOK)()
    assert shown.startswith("<table>")
    assert "a &lt; b &amp; c" in shown
    assert "<script>" not in shown
    assert "4.16 nats" in shown
    assert "<b>1.96</b> nats (2.83 bits)" in shown
