"""A trust report is complete in result.json, in a few lines and in figures, for critics and for
estimators of rows.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infobound.datasets.pairs.consistency import EXPECTED

Command = Callable[..., Any]
TABLE = ["dataset=arrays", "dataset.path=pairs.npz"]


def save(rows: int = 200, noise: float = 0.3) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 1))
    np.savez("pairs.npz", x=x, y=x + noise * random.normal(size=x.shape))


def trusted(command: Command, *arguments: str) -> tuple[dict[str, Any], str]:
    """The metrics and the printed lines of a trust report that ended well."""
    ended = command("experiment=trust", "name=a", "runner.permutations=99", *arguments)
    assert ended.code == 0, ended.err
    return json.loads(Path("outputs/runs/a/result.json").read_text())["metrics"], ended.out


@pytest.mark.parametrize(
    "data",
    [[], ["replicates=2"], TABLE, [*TABLE, "dataset.folds=3"]],
    ids=["sampled", "replicates", "rows", "folds"],
)
def test_a_report_has_every_number_line_and_figure(data: list[str], command: Command) -> None:
    save()
    found, out = trusted(command, *data)
    assert found["mi_ci_low"] <= found["mi"] <= found["mi_ci_high"]
    assert 1 / 100 <= found["p_value"] <= 1
    assert len(found["p_value_replicates"]) == len(found["mi_replicates"])
    for name in EXPECTED:
        assert math.isfinite(found[f"mi_{name}"])
        ratio = found[f"ratio_{name}"]
        assert ratio is None or ratio == pytest.approx(found[f"mi_{name}"] / found["mi"])
    assert found["converged"] is None, "two evaluations tell nothing"
    assert {path.stem for path in Path("outputs/runs/a/figures").iterdir()} == {
        "estimate",
        "permutation",
        "consistency",
    }
    for words in (
        "95 % interval",
        " nats (",
        " bits)",
        "p = ",
        "99 permutations",
        "independence: ",
        "additivity: ",
    ):
        assert words in out


def test_an_estimator_of_rows_has_its_own_number_of_permutations_and_nothing_to_converge(
    command: Command,
) -> None:
    save()
    found, out = trusted(command, *TABLE, "estimator=gaussian", "runner.recomputations=19")
    assert found["p_value"] == 1 / 20
    assert found["converged"] is None
    assert "19 permutations" in out
    ratios = [found[f"ratio_{name}"] for name in EXPECTED]
    assert ratios == pytest.approx([0, 1, 2], abs=0.1)


def test_a_curve_with_enough_evaluations_is_judged(command: Command) -> None:
    found, out = trusted(
        command, "runner.steps=10", "runner.eval_every=1", "runner.consistency=false"
    )
    assert found["converged"] in (True, False)
    assert math.isfinite(found["mi_rise"])
    assert "the held-out curve" in out
    assert not {f"ratio_{name}" for name in EXPECTED} & found.keys()


def test_no_ratio_is_given_if_the_estimate_is_not_distinguishable_from_0(command: Command) -> None:
    found, _ = trusted(
        command, "estimator=gaussian", "dataset.mutual_information=0", "runner.recomputations=19"
    )
    assert [found[f"ratio_{name}"] for name in EXPECTED] == [None] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runner.load=a", *TABLE], "runner.consistency must be false with runner.load"),
        (["runner.confidence=1"], "runner.confidence must lie between 0 and 1, got 1"),
        (["runner.permutations=0"], "runner.permutations must be a positive integer, got 0"),
        (["runner.recomputations=0"], "runner.recomputations must be a positive integer, got 0"),
        (
            [
                "critic=semi_convolutional",
                "critic.hidden=8",
                "critic.channels=[4]",
                "critic.shape=[1,3,4]",
                "dataset.dim=12",
            ],
            "runner.consistency is not possible with these settings, use runner.consistency=false",
        ),
    ],
)
def test_an_impossible_report_is_refused_in_one_line(
    arguments: list[str], words: str, command: Command
) -> None:
    save()
    Path("a").mkdir()
    Path("a/result.json").write_text('{"status": "completed"}')
    ended = command("experiment=trust", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
