"""`python run.py ...`: refused commands with their messages and exit codes, and the effect of a
second command on a run.
"""

import fcntl
import multiprocessing
import os
import pickle
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import yaml

import run
from infobound.runners.runs import plots
from tests.conftest import TARGET, drawn_once, small

Command = Callable[..., Any]
RUN = str(run.__file__)
ROWS = np.random.default_rng(0).normal(size=(60, 2))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `python run.py name=a` leaves."""
    folder = tmp_path_factory.mktemp("standing")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(sys, "argv", [RUN])
        assert run.launch(small(("name=a",))) == 0
    return folder / "outputs"


def assert_refused(ended: Any, *words: str) -> None:
    """Check exit code 2, one line with these words, and no files left behind."""
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("refused: ")
    assert ended.err.count("\n") == 1
    assert len(ended.err) < 1100, "it fits a screen"
    assert [word for word in words if word not in ended.err] == []


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The bytes and the modification time of every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["estimator=nwjj"], ["estimator has no option nwjj; nearest: nwj"]),
        (["-m", "seeds=1", "hydra/launcher=basic"], ["unknown key seeds"]),
        (["critic=none"], ["critic must be one that gives scores", "use critic=separable"]),
        (
            ["estimator=ksg", "critic=concat"],
            ["critic must be none for KSG, which trains nothing; use critic=none"],
        ),
        (
            ["estimator=club", "critic=separable"],
            ["critic must give log q(y | x) for CLUB", "use critic=conditional_gaussian"],
        ),
        (
            ["dataset=staircase"],
            ["dataset must be a distribution of pairs or a table of rows, got GaussianStaircase"],
        ),
        (["critic.embd=8"], ["unknown key critic.embd; nearest: critic.embed"]),
        (
            ["regularizer.lam=1"],
            [
                "unknown key regularizer.lam; it is one of regularizer=adversary,"
                " regularizer=combined, "
            ],
        ),
        (
            ["estimator=nwj", "estimator.tau=1"],
            ["unknown key estimator.tau; it is one of estimator=smile"],
        ),
        (["sed=1"], ["unknown key sed", "seed"]),
        (["+critic.embd=8"], ["unknown key critic.embd; nearest: embed"]),
        (
            ["-m", "experiment=vib_mnist,mnist_baseline", "runner.drops=9"],
            ["runner.drops", "swept", "write ++runner.drops=..."],
        ),
        (["critic.embed=wide"], ["critic.embed must be an integer, got 'wide'"]),
        (["critic.embed=0"], ["critic.embed must be a positive integer, got 0"]),
        (["critic.hidden=[0]"], ["critic.hidden must list positive widths, got [0]"]),
        (["critic.hidden=[8"], ["critic.hidden=[8 is not of the form key=value"]),
        (["critic.hidden"], ["critic.hidden is not of the form key=value"]),
        (
            [f"critic.{TARGET}=infobound.models.nowhere.At"],
            [f"critic.{TARGET} infobound.models.nowhere.At cannot be imported"],
        ),
        (
            ["critic.activation=Relu"],
            ["critic.activation must be the name of a torch.nn activation such as ReLU"],
        ),
        (
            ["critic.noise=[0.3]"],
            [
                "critic.noise must list a standard deviation of 0 or more before each of 2",
                "got [0.3]",
            ],
        ),
        (
            ["critic=concat", "critic.hidden=[8]", "critic.noise=[0.3,-1]"],
            ["critic.noise must list", "got [0.3, -1"],
        ),
        (
            ["critic=concat", "critic.negatives=5", "runner.eval_batch_size=4"],
            ["critic.negatives must be below", "4 rows, got 5"],
        ),
        (
            ["critic=concat", "critic.negatives=8"],
            ["critic.negatives must be below the batch", "8 rows, got 8", "null"],
        ),
        (
            ["estimator=mine", "estimator.alpha=2"],
            ["estimator.alpha must be above 0 and at most 1, got 2"],
        ),
        (
            ["dataset.rho=0.5"],
            ["dataset.rho and mutual_information", "exactly one must be given", "dataset.rho=0.5"],
        ),
        (
            ["dataset.rho=1", "dataset.mutual_information=null"],
            ["dataset.rho must lie between -1 and 1", "got 1"],
        ),
        (
            ["dataset.rho=-1.5", "dataset.mutual_information=null"],
            ["dataset.rho must lie between -1 and 1", "got -1.5"],
        ),
        (
            ["dataset.mutual_information=null"],
            ["dataset.rho and mutual_information", "exactly one must be given"],
        ),
        (
            ["dataset.mutual_information=-1"],
            ["dataset.mutual_information must be a finite number of nats, 0 or more"],
        ),
        (
            ["~optimizer", "+optimizer={_target_: torch.optim.LBFGS, _partial_: true, lr: 0.1}"],
            ["optimizer must treat every parameter separately, which LBFGS does not; use adam"],
        ),
        (["optimizer.lr=-1"], ["optimizer", "learning rate", "-1"]),
        (["optimizer.lr=0"], ["optimizer must have a learning rate above 0, got 0"]),
        (["runner.batch_size=1000000000"], ["runner.batch_size must fit in the ", "use fewer"]),
        (["runner.eval_batch_size=10000000000"], ["runner.eval_batch_size must fit in the "]),
        (["dataset.dim=1000000000"], ["runner.batch_size must fit in the ", "2000000000 numbers"]),
        (
            ["estimator=ksg", "runner.eval_batch_size=10000000000"],
            ["runner.eval_batch_size must fit in the "],
        ),
        (["replicates=100000000"], ["replicates must fit in the ", "100000000 copies"]),
        (["runner.batch_size=1"], ["runner.batch_size must be at least 2, got 1"]),
        (["runner.steps=0"], ["runner.steps must be a positive integer, got 0"]),
        (["runner.average=1"], ["runner.average must be the decay of a moving average", "got 1"]),
        (["runner.train_rows=4"], ["runner.batch_size must not exceed the 4 training rows, got 8"]),
        (
            ["device=cuda:99"],
            ["device must be a device of this machine, got cuda:99", "use device=cpu or auto"],
        ),
        (["device=tpu"], ["device must be cpu, cuda, cuda:N or auto, got tpu"]),
        (
            [f"critic.{TARGET}=os.system"],
            [f"critic.{TARGET} must be in ", "got os.system", "allow_targets=[...]"],
        ),
        (
            [f"critic.{TARGET}=infobound.datasets.files.tables.np.zeros"],
            [f"critic.{TARGET} must be in ", "got infobound.datasets.files.tables.np.zeros"],
        ),
        (["name=../elsewhere"], ["name must be a folder below outputs", "got ../elsewhere"]),
        (["name=a/deep/folder", "seed=-1"], ["seed must be at least 0, got -1"]),
        (["dataset=arrays"], ["dataset.path is missing; give dataset.path=..."]),
    ],
)
def test_a_wrong_command_is_refused_in_one_line_and_leaves_nothing(
    arguments: list[str], words: list[str], command: Command, tmp_path: Path
) -> None:
    assert_refused(command(*arguments), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(command: Command) -> None:
    Path("file").write_text("a file")
    assert_refused(
        command("hydra.run.dir=file/run"),
        "folder cannot be written",
        "file/run",
        "set another name",
    )
    assert content(Path()).keys() == {"file"}


ONE_SPLIT = ["dataset.folds=null", "dataset.validation=0.4", "dataset.test=0.4"]


def saved(path: Path, **arrays: np.ndarray) -> None:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]


def npz(**arrays: np.ndarray) -> list[str]:
    saved(Path("pairs.npz"), **arrays)
    return ["dataset.path=pairs.npz"]


def raw(content: bytes) -> list[str]:
    Path("pairs.npz").write_bytes(content)
    return ["dataset.path=pairs.npz"]


def npy(x: np.ndarray, y: np.ndarray) -> list[str]:
    np.save("x.npy", x, allow_pickle=True)
    np.save("y.npy", y, allow_pickle=True)
    return ["dataset.path=x.npy", "dataset.y_path=y.npy"]


def csv(a: Sequence[Any] | np.ndarray, columns: str = "a") -> list[str]:
    rows = [f"{first},{second}" for first, second in zip(a, ROWS[:, 0], strict=True)]
    Path("pairs.csv").write_text("\n".join(["a,b", *rows]))
    return ["dataset.path=pairs.csv", f"dataset.x_columns=[{columns}]", "dataset.y_columns=[b]"]


def wide(columns: int) -> list[str]:
    lines = [range(columns), *[[0.5] * columns] * 3]
    Path("pairs.csv").write_text("\n".join(",".join(map(str, each)) for each in lines))
    return ["dataset.path=pairs.csv", "dataset.x_columns=[a]", "dataset.y_columns=[b]"]


def with_value(value: float) -> np.ndarray:
    changed = ROWS.copy()
    changed[[3, 7], 1] = value
    return changed


def constant(column: int) -> np.ndarray:
    changed = ROWS.copy()
    changed[:, column] = 4
    return changed


WRITE = ["cannot be read", "write it by numpy.savez(path, x=x, y=y)"]
BAD_DATA: dict[str, tuple[Callable[[], list[str]], list[str]]] = {
    "missing": (
        lambda: ["dataset.path=pairs.npz"],
        ["dataset.path must name a .npz file", "pairs.npz is not there"],
    ),
    "missing y": (
        lambda: [npy(ROWS, ROWS)[0], "dataset.y_path=no.npy"],
        ["dataset.y_path must name a .npy", "no.npy is not"],
    ),
    "no y": (
        lambda: npy(ROWS, ROWS)[:1],
        ["dataset.y_path must be given for a .npy file", "got None with x.npy"],
    ),
    "idle y": (
        lambda: [*npz(x=ROWS, y=ROWS), "dataset.y_path=y.npy"],
        ["dataset.y_path", "only for this, got y.npy"],
    ),
    "folder": (
        lambda: Path("pairs.npz").mkdir() or ["dataset.path=pairs.npz"],
        ["dataset.path", "cannot be read"],
    ),
    "empty": (lambda: raw(b""), ["dataset.path", *WRITE]),
    "text": (lambda: raw(b"x,y\n1,2\n"), ["dataset.path", *WRITE]),
    "torn": (lambda: raw(b"PK\3\4" + bytes(99)), ["dataset.path", *WRITE]),
    "pickle": (
        lambda: raw(pickle.dumps({"x": ROWS, "y": ROWS})),
        ["it is not a NumPy file; if it is a pickle, it could run code", *WRITE],
    ),
    "objects": (
        lambda: npz(x=ROWS.astype(object), y=ROWS),
        ["it holds an object array (text, None", *WRITE],
    ),
    "objects of y": (
        lambda: npy(ROWS, ROWS.astype(object)),
        [
            "dataset.y_path y.npy cannot be read: it holds an object array",
            "write it by numpy.save(path, array) from",
        ],
    ),
    "names": (lambda: npz(a=ROWS, b=ROWS), ["dataset.path", "arrays x and y", "got a, b"]),
    "unequal": (
        lambda: npz(x=ROWS, y=ROWS[:50]),
        ["dataset", "the same number of rows, because rows are paired, got 60 and 50"],
    ),
    "infinite": (
        lambda: npz(x=ROWS, y=with_value(np.inf)),
        ["y must be finite, got 2 values", "row 3, column 1; drop or"],
    ),
    "nan": (
        lambda: npy(with_value(np.nan), ROWS),
        ["x must be finite, got 2 values that are NaN", "row 3, column 1"],
    ),
    "words": (lambda: npz(x=ROWS.astype(str), y=ROWS), ["dataset", "x must hold real numbers"]),
    "constant": (
        lambda: npz(x=ROWS, y=constant(1)),
        ["y must vary in every column", "all rows of column 1; leave it out"],
    ),
    "few": (lambda: npz(x=ROWS[:8], y=ROWS[:8]), ["at least 4 rows", "2 for test", "collect more"]),
    "few for a batch": (
        lambda: [*npz(x=ROWS[:20], y=ROWS[:20]), *ONE_SPLIT],
        ["runner.batch_size must not exceed the 4 training rows, got 8; use 4"],
    ),
    "no column": (
        lambda: csv(ROWS[:, 1], "c"),
        ["dataset.x_columns must name columns of pairs.csv, got c; it has a, b"],
    ),
    "no column of a wide table": (
        lambda: wide(20_000),
        [
            "dataset.x_columns must name columns of pairs.csv, got a; it has 0, 1, 2, 3",
            "and 19,988 more",
        ],
    ),
    "constant column": (
        lambda: csv([4] * 60),
        ["column a must vary, got 4 in every row; leave it out"],
    ),
    "missing values": (
        lambda: csv([*ROWS[:58, 1], "", "nan"]),
        ["column a must have every value, got 2 missing"],
    ),
    "infinite values": (
        lambda: csv([*ROWS[:58, 1], "inf", 1]),
        ["column a must be finite, got 1 infinite values"],
    ),
    "a word": (
        lambda: csv([*ROWS[:59, 1], "?"]),
        ["column a must hold numbers, got 59 numbers and '?'", "leave fields without a value"],
    ),
}


@pytest.mark.parametrize(("write", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_data_that_cannot_be_used_are_refused(
    write: Callable[[], list[str]], words: list[str], command: Command
) -> None:
    arguments = write()
    assert_refused(command("dataset=arrays", *arguments, "name=a"), *words)
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    "arguments",
    [["estimator=ksg", "estimator.k=10"], ["estimator=gaussian", "dataset.transform=none"]],
)
def test_rows_that_an_estimator_cannot_read_are_refused(
    arguments: list[str], command: Command
) -> None:
    x = np.arange(6.0)
    np.savez("few.npz", x=x, y=2 * x)
    ended = command("dataset=arrays", "dataset.path=few.npz", "critic=none", *arguments)
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert not Path("outputs").exists()


def test_my_data_names_the_batch_that_fits_a_small_table(command: Command) -> None:
    data = [
        "experiment=my_data",
        "critic=copula",
        "dataset=arrays",
        *npz(x=ROWS, y=ROWS),
        "runner.batch_size=512",
    ]
    assert_refused(
        command(*data), "runner.batch_size must not exceed the 34 training rows, got 512; use 32"
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda: npz(x=ROWS[:40], y=ROWS[:40]),
        lambda: npy(ROWS, ROWS),
        lambda: csv(["low", "high"] * 30),
        lambda: npz(x=constant(1).reshape(60, 2, 1), y=ROWS),
    ],
    ids=["npz", "npy", "categories", "images"],
)
def test_data_of_every_kind_are_read(write: Callable[[], list[str]], command: Command) -> None:
    assert command("dataset=arrays", *write(), "name=a").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["critic.embed=wide"], ["critic.embed"]),
        (["critic.embed=0"], ["critic.embed: 4 -> 0", "use another name, or force=true"]),
        (["critic.embed=0", "force=true"], ["critic.embed must be a positive integer"]),
        (["device=cuda:99", "runner.steps=8"], ["device must be a device of this machine"]),
        (
            ["seed=1", "estimator=nwj"],
            [
                "seed: 0 -> 1",
                f"estimator.{TARGET}: infobound.estimators.infonce.InfoNCE"
                " -> infobound.estimators.nwj.NWJ",
            ],
        ),
        (
            ["runner.steps=2"],
            ["runner.steps can only grow under one name, got 2 after 4", "force=true"],
        ),
    ],
)
def test_a_refused_command_changes_no_byte_of_an_existing_run(
    arguments: list[str], words: list[str], command: Command, outputs: Path
) -> None:
    copytree(outputs, "outputs")
    before = content(Path())
    assert_refused(command("name=a", *arguments), *words)
    assert content(Path()) == before


def test_a_completed_run_says_so_and_does_nothing(command: Command) -> None:
    first = command("name=a")
    before = content(Path())
    second = command("name=a", "device=auto", "threads=2", "runner.log_every=3")
    assert (first.code, second.code) == (0, 0)
    assert "is completed" in second.out
    assert "force=true starts again" in second.out
    assert first.out.splitlines()[0] in second.out
    assert content(Path()) == before


def test_force_starts_again_and_keeps_other_files(command: Command) -> None:
    folder = Path("outputs/runs/a")
    assert command("name=a").code == 0
    metrics = (folder / "metrics.jsonl").read_bytes()
    (folder / "notes.txt").write_text("mine")
    (folder / "figures" / "mine.pdf").write_text("mine")
    (folder / "checkpoint.pt").write_bytes(b"torn")
    assert command("name=a", "force=true").code == 0
    assert (folder / "metrics.jsonl").read_bytes() == metrics
    assert (
        (folder / "notes.txt").read_text()
        == (folder / "figures" / "mine.pdf").read_text()
        == "mine"
    )
    assert len(list(folder.glob("events.out.tfevents.*"))) == 2
    assert command("name=a", "force=true", "seed=1").code == 0
    assert (folder / "metrics.jsonl").read_bytes() != metrics


def test_force_removes_what_the_run_listed_and_nothing_outside(command: Command) -> None:
    folder = Path("outputs/runs/a")
    assert command("name=a", "runner.figure_formats=[svg]").code == 0
    assert (folder / "figures" / "estimate.svg").is_file()
    with (folder / ".hydra" / "files.txt").open("a") as listed:
        listed.write("../../../escaped\n")
    Path("escaped").write_text("mine")
    assert command("name=a", "force=true").code == 0
    assert [path.name for path in (folder / "figures").iterdir()] == ["estimate.png"]
    assert not (folder / ".hydra" / "files.txt").exists()
    assert Path("escaped").is_file()


@pytest.mark.parametrize(
    "data",
    [
        [],
        ["dataset=arrays", "dataset.path=pairs.npz", "runner.cosine=false"],
        [
            "critic=concat",
            "critic.negatives=null",
            "critic.hidden=[8]",
            "critic.noise=[0.3,0.5]",
            "replicates=2",
        ],
    ],
    ids=["sampled", "table", "noise"],
)
def test_more_steps_extend_a_run_to_what_it_would_have_been(
    data: list[str], command: Command
) -> None:
    saved(Path("pairs.npz"), x=ROWS, y=ROWS)
    arguments = [*data, "runner.log_every=4", "runner.eval_every=3", "runner.checkpoint_every=100"]
    assert command("name=short", "runner.steps=7", *arguments).code == 0
    assert command("name=short", "runner.steps=10", *arguments).code == 0
    assert command("name=long", "runner.steps=10", *arguments).code == 0
    short, long = (
        Path(f"outputs/runs/{name}/metrics.jsonl").read_bytes() for name in ("short", "long")
    )
    assert short == long


def called(*line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *line], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("flags", [["--help"], ["--cfg", "job"], ["--hydra-help"]])
def test_commands_that_run_nothing_do_not_import_torch(
    flags: Sequence[str], tmp_path: Path
) -> None:
    trace = called("-X", "importtime", RUN, *flags).stderr
    imported = {line.rpartition("|")[2].strip() for line in trace.splitlines()}
    assert "hydra" in imported
    assert not {"torch", "tensorboard", "matplotlib", "pandas"} & imported


def test_help_lists_the_groups_and_five_commands() -> None:
    lines = called(RUN, "--help").stdout.splitlines()
    for group in ("critic", "dataset", "estimator", "optimizer", "runner"):
        options = sorted(path.stem for path in (Path(RUN).parent / "conf" / group).glob("*.yaml"))
        assert f"{group}: {', '.join(options)}" in lines
    commands = [line for line in lines if f"   python {RUN}" in line or "   tensorboard" in line]
    assert len(commands) == 5


def test_cfg_job_shows_what_would_run() -> None:
    shown = yaml.safe_load(called(RUN, "--cfg", "job", "critic=concat", "seed=3").stdout)
    assert (shown["critic"]["_target_"], shown["seed"]) == (
        "infobound.models.critics.dense.Concat",
        3,
    )


def test_a_pipe_gets_plain_lines_and_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    piped = shown(os.pipe(), tmp_path)
    assert b"step 10/20" in piped
    assert not {b"\x1b", b"\r"} & {bytes([each]) for each in piped}
    terminal = pty.openpty()
    fcntl.ioctl(terminal[1], termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    drawn = shown(terminal, tmp_path)
    assert b"\r" in drawn
    assert b"/20 [" in drawn


def shown(ends: tuple[int, int], folder: Path) -> bytes:
    """Everything that a run in a fork of this process prints to both of its streams, where `ends`
    are read from and written to.
    """
    ours, theirs = ends

    def perform() -> None:
        for descriptor in (1, 2):
            os.dup2(theirs, descriptor)
        os.close(ours)
        os.close(theirs)
        sys.stdout, sys.stderr = (open(each, "w", closefd=False) for each in (1, 2))  # noqa: SIM115
        plots.png = drawn_once
        sys.argv = [RUN]
        os.chdir(folder)
        lengths = ("runner.steps=20", "runner.eval_every=10", "runner.log_every=10")
        sys.exit(run.launch(small((*lengths, "name=a", "force=true"))))

    process = multiprocessing.get_context("fork").Process(target=perform)
    process.start()
    os.close(theirs)
    printed = b""
    while chunk := read(ours):
        printed += chunk
    os.close(ours)
    process.join()
    assert process.exitcode == 0, printed
    return printed


def read(descriptor: int) -> bytes:
    """The next output of a terminal; empty after its other end is closed, which Linux reports as an
    error.
    """
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
