"""Optional files of a run: the weights of its best evaluation, and its lines as a table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from infobound.runners.runs import checkpoint

Command = Callable[..., Any]
RUN = Path("outputs/runs/a")
KEPT = ["name=a", "runner.keep=best", "runner.csv=true", "runner.steps=12", "optimizer.lr=0.5"]


def lines(split: str) -> list[dict[str, Any]]:
    written = map(json.loads, (RUN / "metrics.jsonl").read_text().splitlines())
    return [line for line in written if line["split"] == split]


def test_the_best_weights_are_kept_and_the_lines_stand_in_a_table(command: Command) -> None:
    assert command(*KEPT, "replicates=2").code == 0
    best = max(lines("validation")[1:], key=lambda line: line["mi"])
    kept, last = (checkpoint.load(RUN / f"{name}.pt") or {} for name in ("best", "checkpoint"))
    assert kept["step"] == best["step"] < last["step"]
    assert kept["task"]["critics"]["networks"]["steps"] == best["step"]
    table = pd.read_csv(RUN / "metrics.csv")
    history = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    assert table["step"].tolist() == [line["step"] for line in history]
    assert table["mi"].tolist() == [line["mi"] for line in history]
    validation = table[table["split"] == "validation"]
    assert validation["mi_replicates_1"].tolist() == [
        line["mi_replicates"][1] for line in lines("validation")
    ]


def test_a_run_without_extra_files_removes_earlier_ones(command: Command) -> None:
    assert command(*KEPT).code == 0
    assert command("name=a", "force=true").code == 0
    assert not [*RUN.glob("best.pt"), *RUN.glob("metrics.csv")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimator=club"],
        ["runner=staircase", "dataset=staircase", "dataset.steps=4", "runner.window=2"],
    ],
)
def test_the_best_weights_cannot_be_kept_without_validation_readings(
    arguments: list[str], command: Command
) -> None:
    ended = command("name=a", "runner.keep=best", *arguments)
    assert ended.code == 2
    assert ended.err.startswith(
        "refused: runner.keep must be last without validation readings, which choose the best, got"
        " best"
    )


def test_the_best_of_an_invariant_training_is_judged_with_its_penalty(command: Command) -> None:
    line = [
        "runner=invariant",
        "regularizer=kl_update",
        "critic=score_and_pivot",
        "dataset=bivariate",
        "model.hidden=[8]",
        "runner.keep=best",
        "runner.steps=6",
        "runner.eval_every=2",
        "runner.eval_rows=200",
        "runner.test_rows=200",
        "runner.permutations=0",
    ]
    ended = command("name=a", *line)
    assert ended.code == 0, ended.err
    best = checkpoint.load(RUN / "best.pt")
    assert best is not None
    read = {each["step"]: each["cross_entropy"] + each["mi"] for each in lines("validation")}
    del read[0]
    assert best["step"] == min(read, key=lambda step: read[step])
