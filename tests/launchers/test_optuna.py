"""hydra/sweeper=optuna: its search space, resuming after a kill, pruning, and refused settings."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import sleep
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna import load_study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from infobound.runners.runs import sweep
from infobound.runners.runs.errors import ConfigError
from tests.conftest import TARGET, Background

LR = "optimizer.lr=tag(log,interval(1e-5,1e-1))"
SEARCH = ("-m", "hydra/sweeper=optuna", "hydra.launcher.workers=1")
EACH_ONCE = f"hydra.sweeper.sampler.{TARGET}=optuna.samplers.BruteForceSampler"
NO_PRUNING = f"hydra.sweeper.pruner.{TARGET}=optuna.pruners.NopPruner"
Command = Callable[..., Any]


def trials(folder: Path) -> list[FrozenTrial]:
    study = load_study(study_name=None, storage=f"sqlite:///{folder}/study.db")
    return study.get_trials()


def told(folder: Path) -> list[tuple[Any, ...]]:
    """Everything that a study knows about its trials, except the times."""
    return [
        (each.number, each.state, each.params, each.values, each.intermediate_values)
        for each in trials(folder)
    ]


def states(folder: Path) -> list[TrialState]:
    return [each.state for each in trials(folder)]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("a=interval(1,2)", FloatDistribution(1, 2)),
        ("a=tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("a=int(interval(8,64))", IntDistribution(8, 64)),
        ("a=tag(log,int(interval(8,64)))", IntDistribution(8, 64, log=True)),
        ("a=range(2,10,3)", IntDistribution(2, 8, step=3)),
        ("a=range(10,2,-4)", IntDistribution(6, 10, step=4)),
        ("a=range(0.1,0.45,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("a=choice(1,b,[2,3])", CategoricalDistribution(["1", "b", "[2,3]"])),
        ("a='x, y',z", CategoricalDistribution(["'x, y'", "z"])),
    ],
)
def test_hydras_sweeps_are_optunas_distributions(text: str, drawn: BaseDistribution) -> None:
    from hydra_plugins import _space

    assert _space.distribution(OverridesParser.create().parse_override(text)) == drawn


@pytest.mark.parametrize(
    "text",
    [
        "a=tag(linear,interval(0,1))",
        "a=tag(log,choice(1,2))",
        "a=shuffle(range(3))",
        "a=range(3,3)",
        "a=interval(2,1)",
        "a=tag(log,interval(0,1))",
        "a=tag(log,range(1,9,2))",
    ],
)
def test_a_sweep_that_cannot_be_searched_is_refused(text: str) -> None:
    from hydra_plugins import _space

    with pytest.raises(ConfigError, match=r"a="):
        _space.distribution(OverridesParser.create().parse_override(text))


@pytest.mark.slow
def test_a_search_finds_the_better_half(command: Command, tmp_path: Path) -> None:
    quick = "+hydra.sweeper.sampler.n_startup_trials=4"
    ended = command(
        *SEARCH, "name=s", LR, "runner.steps=30", "hydra.sweeper.trials=12", quick, NO_PRUNING
    )
    assert ended.code == 0, ended.err
    folder = tmp_path / "outputs" / "sweeps" / "s"
    found = trials(folder)
    assert median(each.params["optimizer.lr"] for each in found[4:]) > 1e-3, (
        "the middle of the space, where steps are short"
    )
    best = json.loads((folder / "best.json").read_text())
    assert best["mi"] == max(each.values[0] for each in found)
    assert f"best: mi {best['mi']:.4g} of optimizer.lr=" in ended.err
    result = json.loads((folder / best["job"] / "result.json").read_text())
    assert result["metrics"]["mi"] == best["mi"]
    assert {*best["overrides"]} == {*result["overrides"]} - {"name=s"}


def test_a_search_continues_exactly_after_a_kill(
    background: Callable[..., Background], command: Command, tmp_path: Path
) -> None:
    sweeps = tmp_path / "outputs" / "sweeps"
    line = (
        *SEARCH,
        LR,
        "runner.steps=100",
        "runner.eval_every=50",
        "runner.checkpoint_every=50",
        "hydra.sweeper.trials=4",
        NO_PRUNING,
    )
    launcher = background(*line, "name=killed")

    def begun(trials: int) -> None:
        while len(list((sweeps / "killed").glob("*/metrics.jsonl"))) < trials and launcher.alive:
            sleep(0.005)

    begun(1)
    refused = command(*line, "name=killed")
    begun(3)
    launcher.send(signal.SIGKILL)
    launcher.ended()
    assert refused.code == 2
    assert "another process is searching" in refused.err
    assert states(sweeps / "killed") == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.RUNNING,
    ]
    assert command(*line, "name=killed").code == 0
    assert command(*line, "name=quiet").code == 0
    assert told(sweeps / "killed") == told(sweeps / "quiet")
    assert states(sweeps / "quiet") == [TrialState.COMPLETE] * 4
    again = command(*line, "name=quiet")
    assert again.code == 0
    assert "4 of 4 trials done" in again.err
    assert len(trials(sweeps / "quiet")) == 4


def test_a_trial_that_learns_nothing_is_pruned(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "POLL", 0.02)
    pruner = (
        f"hydra.sweeper.pruner.{TARGET}=optuna.pruners.ThresholdPruner",
        "+hydra.sweeper.pruner.lower=0.2",
    )
    warm = "+hydra.sweeper.pruner.n_warmup_steps=100"
    length = (
        "runner.steps=1500",
        "runner.log_every=100",
        "runner.eval_every=100",
        "runner.checkpoint_every=500",
    )
    ended = command(
        *SEARCH,
        "name=s",
        "optimizer.lr=1e-9,1e-2",
        "hydra.sweeper.trials=2",
        EACH_ONCE,
        *pruner,
        warm,
        *length,
    )
    assert ended.code == 0, ended.err
    folder = tmp_path / "outputs" / "sweeps" / "s"
    by_rate = {float(each.params["optimizer.lr"]): each for each in trials(folder)}
    good, bad = by_rate[1e-2], by_rate[1e-9]
    assert (good.state, bad.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert bad.last_step == 100
    assert good.last_step == 1500
    assert "pruned by ThresholdPruner at step 100 with mi =" in ended.err
    results = [json.loads(each.read_text()) for each in folder.glob("*/result.json")]
    assert sorted(each["status"] for each in results) == ["completed", "interrupted"]


def test_a_failed_trial_affects_no_other_and_is_repeated_by_the_same_command(
    command: Command, tmp_path: Path
) -> None:
    line = (*SEARCH, "name=s", "critic.embed=0,4", "hydra.sweeper.trials=2", EACH_ONCE)
    folder = tmp_path / "outputs" / "sweeps" / "s"
    ended = command(*line)
    assert ended.code == 3
    assert "critic.embed must be a positive integer, got 0" in ended.err
    assert {*states(folder)} == {TrialState.COMPLETE, TrialState.FAIL}
    assert json.loads((folder / "best.json").read_text())["overrides"][-1] == "critic.embed=4"
    assert command(*line).code == 3
    assert sorted(each.params["critic.embed"] for each in trials(folder)) == ["0", "0", "4"]


def test_trials_that_draw_the_same_count_each(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "POLL", 0.02)
    ended = command(
        "-m",
        "hydra/sweeper=optuna",
        "hydra.launcher.workers=2",
        "name=s",
        "seed=range(1)",
        "hydra.sweeper.trials=3",
    )
    assert ended.code == 0, ended.err
    folder = tmp_path / "outputs" / "sweeps" / "s"
    assert states(folder) == [TrialState.COMPLETE] * 3
    assert len({each.values[0] for each in trials(folder)}) == 1
    assert len(list(folder.glob("*/result.json"))) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["hydra.sweeper.trials=0"], "hydra.sweeper.trials must be a positive integer, got 0"),
        (
            ["hydra.sweeper.direction=up"],
            "hydra.sweeper.direction must be minimize or maximize, got up",
        ),
        (
            [f"hydra.sweeper.sampler.{TARGET}=os.system"],
            f"hydra.sweeper.sampler.{TARGET} must be in",
        ),
        (
            [f"hydra.sweeper.sampler.{TARGET}=optuna.samplers.Nope"],
            f"hydra.sweeper.sampler.{TARGET} optuna.samplers.Nope cannot",
        ),
        (["+hydra.sweeper.sampler.sed=1"], "unknown key hydra.sweeper.sampler.sed; nearest: seed"),
        (["+hydra.sweeper.pruner.n_warmup_steps=-1"], "n_warmup_steps=-1"),
        (["hydra.sweeper.storage=nonsense"], "hydra.sweeper.storage nonsense cannot be opened"),
        (
            ["optimizer.lr=tag(log,choice(1,2))"],
            "optimizer.lr=tag(log,choice(1,2)) cannot be searched",
        ),
        (["optimizer.lr=0.1"], "nothing to search"),
        (["optimizer.lrr=interval(0,1)"], "unknown key optimizer.lrr; nearest: "),
        (["hydra/launcher=basic"], "hydra/sweeper=optuna needs a launcher of this project"),
    ],
    ids=lambda each: each[0].partition("=")[0] if isinstance(each, list) else "",
)
def test_what_cannot_be_searched_is_refused_in_one_line(
    command: Command, given: list[str], message: str
) -> None:
    space = [] if any("lr" in each for each in given) else [LR]
    ended = command(*SEARCH[:2], "name=s", *space, *given)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_a_metric_that_no_result_has_ends_the_search(command: Command, tmp_path: Path) -> None:
    line = (*SEARCH, "name=s", LR, "hydra.sweeper.trials=2")
    ended = command(*line, "hydra.sweeper.metric=accuracy", "hydra.sweeper.trials=1")
    assert ended.code == 2
    assert "hydra.sweeper.metric must be null or one of mi, " in ended.err
    assert command(*line, "hydra.sweeper.metric=null").code == 0, (
        "no trial was done, so the metric may be put right"
    )
    other = command(
        *line,
        "hydra.sweeper.metric=mi",
        "hydra.sweeper.direction=minimize",
        "optimizer.weight_decay=0.1",
    )
    assert other.code == 2
    for changed in (
        "metric: None -> mi",
        "direction: maximize -> minimize",
        "optimizer.weight_decay: ",
    ):
        assert changed in other.err


def test_without_optuna_the_error_says_what_to_install(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    ended = command(*SEARCH, "name=s", LR)
    assert (ended.code, ended.err) == (
        2,
        "refused: hydra/sweeper=optuna needs optuna; pip install optuna\n",
    )
