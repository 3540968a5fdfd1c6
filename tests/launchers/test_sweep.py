"""`python run.py -m ...`: the effect of a second command on a sweep, of a failed job, and refused
commands.
"""

import csv
import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infobound.runners.runs.sweep import death
from tests.conftest import RUN, Background

FOLDER = Path("outputs/sweeps/s")
Command = Callable[..., Any]


def status() -> dict[str, str]:
    return {
        path.parent.name: json.loads(path.read_text())["status"]
        for path in FOLDER.glob("*/result.json")
    }


def stamps() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in FOLDER.glob("*/*.json*")}


def summary() -> list[dict[str, str]]:
    return list(csv.DictReader((FOLDER / "summary.csv").open()))


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `-m name=s seed=0,1` was run."""
    folder = tmp_path_factory.mktemp("completed")
    assert Background(["-m", "name=s", "seed=0,1"], folder).ended().code == 0
    return folder


@pytest.fixture
def swept(command: Command, completed: Path) -> Command:
    """The launcher in a folder with a copy of that sweep."""
    shutil.copytree(completed / "outputs", "outputs")
    return command


def test_a_failing_job_does_not_affect_the_others(command: Command) -> None:
    ended = command("-m", "name=s", "critic.embed=0,-1,4")
    assert ended.code == 3
    assert sorted(status().values()) == ["completed", "failed", "failed"]
    for embed in (0, -1):
        message = f"critic.embed must be a positive integer, got {embed}\n"
        assert ended.err.count(message) == 2, "at once, and in the table"
    *_, first, second, command_line = ended.err.splitlines()
    assert {line.partition(":")[0] for line in (first, second)} == {
        "  critic.embed=0",
        "  critic.embed=-1",
    }
    assert command_line.startswith(f"to continue: python {RUN} -m ")
    results = [json.loads(path.read_text()) for path in FOLDER.glob("*embed=*/result.json")]
    failed = [each for each in results if each["status"] == "failed"]
    assert all("Traceback" in each["error"]["traceback"] for each in failed)
    assert len(summary()) == 3


def test_the_same_command_does_the_remaining_jobs_and_repeats_none(swept: Command) -> None:
    before = stamps()
    again = swept("-m", "name=s", "seed=0,1")
    assert (again.code, stamps() == before) == (0, True)
    assert "2 of them completed before" in again.err
    assert swept("-m", "name=s", "seed=range(3)").code == 0, "a new point"
    assert {path: stamp for path, stamp in stamps().items() if path in before} == before
    assert len(status()) == len(summary()) == 3


def test_a_sweep_over_nothing_is_one_job(command: Command) -> None:
    assert command("-m", "name=s").code == 0
    assert len(summary()) == 1


def test_force_starts_the_whole_sweep_again(swept: Command) -> None:
    before = stamps()
    assert swept("-m", "name=s", "seed=0,1", "force=true").code == 0
    assert len(stamps()) == len(before)
    assert not set(stamps().values()) & set(before.values())


def test_another_configuration_under_an_old_name_is_refused_before_anything_runs(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mine" / "critic"
    own.mkdir(parents=True)
    (own / "tiny.yaml").write_text("defaults: [separable]\nembed: 4\n")
    arguments = [
        "-m",
        "name=s",
        "critic=tiny",
        "critic.hidden=[8]",
        "hydra.searchpath=[file://" + str(own.parent) + "]",
    ]
    assert command(*arguments, "seed=0,1").code == 0
    (own / "tiny.yaml").write_text("defaults: [separable]\nembed: 5\n")
    before = stamps()
    ended = command(*arguments, "seed=0,1,2")
    assert ended.code == 2
    assert "critic.embed: 4 -> 5" in ended.err
    assert stamps() == before


def test_a_killed_job_is_done_by_the_next_command(swept: Command) -> None:
    [file, _] = FOLDER.glob("*/result.json")
    file.write_text(file.read_text().replace('"completed"', '"running"'))
    assert swept("-m", "name=s", "seed=0,1").code == 0
    assert set(status().values()) == {"completed"}


@pytest.mark.parametrize(
    "values", [["critic.embed=0,1,2"], ["critic=bilinear,separable,concat", "critic.hidden=[8]"]]
)
def test_a_failure_may_end_the_sweep(values: list[str], command: Command) -> None:
    ended = command("-m", "name=s", *values, "sweep.on_error=stop", "hydra.launcher.workers=1")
    assert ended.code == 3
    assert list(status().values()) == ["failed"]
    assert "3 of 3 jobs are still to do" in ended.err
    assert [row["status"] for row in summary()].count("missing") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["estimator=infonce,smile", "++estimator.tau=5"], "unknown key estimator.tau"),
        (["critic=bilinear,separable", "critic.hidden=[8]"], "unknown key critic.hidden"),
        (
            ["runner.batch_size=8,64", "runner.train_rows=16"],
            "runner.batch_size must not exceed the 16 training rows, got 64",
        ),
    ],
    ids=["added", "overridden", "constructed"],
)
def test_values_that_do_not_fit_together_only_fail_their_job(
    arguments: list[str], words: str, command: Command
) -> None:
    ended = command("-m", "name=s", *arguments)
    assert ended.code == 3
    assert words in ended.err
    assert sorted(status().values()) == ["completed", "failed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["estimator=nwjj,nwj"], "estimator has no option nwjj; nearest: nwj"),
        (["estimator=nwj,nwjj"], "estimator has no option nwjj; nearest: nwj"),
        (["critic.embd=1,2"], "unknown key critic.embd; nearest: critic.embed"),
        (
            ["seed=0,1", "sweep.job_timeout=0"],
            "sweep.job_timeout must be a positive number of seconds, got 0",
        ),
        (
            ["seed=0,1", "sweep.on_error=halt"],
            "sweep.on_error must be continue or stop, got 'halt'",
        ),
        (["seed=0,1", "sweep.timeout=3"], "unknown key sweep.timeout"),
        (
            ["seed=0,1", "hydra.launcher.workers=0"],
            "hydra.launcher.workers must be a positive integer or null, got 0",
        ),
        (["seed=0,1", "hydra/launcher=slurmm"], "hydra/launcher has no option slurmm"),
    ],
)
def test_a_wrong_sweep_is_refused_in_one_line_before_any_job(
    arguments: list[str], words: str, command: Command
) -> None:
    ended = command("-m", "name=s", *arguments)
    assert ended.code == 2
    [line] = [line for line in ended.err.splitlines() if line.startswith("refused: ")]
    assert words in line
    assert status() == {}


def test_what_every_job_would_be_refused_for_starts_one_round_of_them(command: Command) -> None:
    ended = command("-m", "name=s", "seed=range(9)", "runner.batch_size=1")
    assert ended.code == 2
    [line] = [line for line in ended.err.splitlines() if line.startswith("refused: ")]
    assert "every job: runner.batch_size must be at least 2, got 1" in line
    assert set(status().values()) == {"failed"}
    assert len(status()) < 9


def test_jobs_that_are_refused_alike_do_not_end_a_sweep_in_which_others_are_sound(
    command: Command,
) -> None:
    options = "estimator=club,variational_upper,infonce"
    assert command("-m", "name=s", options, "critic=separable").code == 3
    assert sorted(status().values()) == ["completed", "failed", "failed"]


def test_a_column_against_itself_is_a_refused_pair_of_a_sweep_that_completes(
    command: Command,
) -> None:
    rows = "\n".join(f"{n * 37 % 101},{n * 53 % 89},{n * 11 % 97}" for n in range(200))
    Path("table.csv").write_text(f"a,b,c\n{rows}\n")
    table = ["dataset=arrays", "dataset.path=table.csv", "estimator=ksg"]
    pairs = ["dataset.x_columns=[a],[b]", "dataset.y_columns=[a],[c]"]
    ended = command("-m", "name=s", *table, *pairs)
    assert ended.code == 0, ended.err
    assert "dataset.x_columns and y_columns must name a column once, got a twice" in ended.err
    assert "3 of 4 runs completed, 1 refused" in ended.err
    assert sorted(status().values()) == ["completed", "completed", "completed", "refused"]


def test_ctrl_c_lets_the_jobs_write_their_checkpoints_and_the_same_command_continues(
    background: Callable[..., Background], command: Command
) -> None:
    arguments = [
        "-m",
        "name=s",
        "seed=0,1",
        "runner.steps=300",
        "runner.log_every=20",
        "runner.eval_every=150",
        "runner.checkpoint_every=20",
    ]
    launcher = background(*arguments)
    while len(list(FOLDER.glob("*/checkpoint.pt"))) < 2:
        time.sleep(0.01)
        assert launcher.alive
    launcher.send(signal.SIGINT)
    ended = launcher.ended()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert set(status().values()) <= {"interrupted", "completed"}
    assert "interrupted" in status().values()
    assert command(*arguments).code == 0
    assert command(*[each.replace("name=s", "name=whole") for each in arguments]).code == 0
    for path in FOLDER.glob("*/metrics.jsonl"):
        assert (
            path.read_bytes()
            == (Path("outputs/sweeps/whole") / path.parent.name / path.name).read_bytes()
        )


def test_the_output_of_a_job_is_in_its_log(completed: Path) -> None:
    logs = list((completed / FOLDER).glob("*/run.log"))
    assert len(logs) == 2
    for path in logs:
        assert "step 4/4" in path.read_text()
        assert "I(X;Y) = " in path.read_text()


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (-9, "killed by SIGKILL, as the system does when memory runs out"),
        (-11, "killed by SIGSEGV"),
        (7, "exited with code 7"),
    ],
)
def test_a_job_that_cannot_report_its_end_gets_a_result(end: int | str, words: str) -> None:
    assert words in death(end)


def test_the_sweep_keys_are_not_part_of_a_jobs_name_or_configuration(swept: Command) -> None:
    before = stamps()
    assert swept("-m", "name=s", "seed=0,1", "sweep.job_timeout=1000", "sweep.grace=9").code == 0
    assert stamps() == before
