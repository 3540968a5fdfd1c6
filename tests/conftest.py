"""The environment of all tests, and the launcher for tests of whole runs, in this process or in its
own process.
"""

import gc
import gzip
import hashlib
import logging
import multiprocessing
import os
import pickle
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import jaxtyping
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import run
from infobound.datasets.images import cifar10, mnist
from infobound.runners.runs import plots
from infobound.runners.runs.processes import printing_into
from infobound.runners.runs.signals import CAUGHT
from tests import composing, shapes

jaxtyping.install_import_hook(shapes.PACKAGES, "tests.shapes.checked")
REMEMBERING = ExitStack()


def pytest_configure() -> None:
    """Set up before tests are collected, because some families compose their members then."""
    REMEMBERING.enter_context(composing.remembered())
    REMEMBERING.enter_context(composing.once())


def pytest_collection_finish() -> None:
    """Spare what is imported by now from the collector of cycles, and let it run more rarely."""
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_runtest_setup() -> None:
    shapes.REMAINING.renew()


def pytest_unconfigure() -> None:
    REMEMBERING.close()


RUN = Path(run.__file__)
SMALL = [
    "runner.steps=4",
    "runner.batch_size=8",
    "runner.log_every=1",
    "runner.eval_every=2",
    "runner.eval_batches=2",
    "runner.eval_batch_size=16",
    "runner.checkpoint_every=2",
    "critic.hidden=[8]",
    "critic.embed=4",
    "dataset.dim=2",
]
TARGET = "_target_"
"""Hydra's key for a target, as in f"critic.{TARGET}=torch.nn.Identity"."""
DRAWN: dict[tuple[str, ...], bytes] = {}
"""A picture for each set of figure labels."""
OWN_CRITIC = {
    f"estimator={path.stem}"
    for path in RUN.parent.glob("conf/estimator/*.yaml")
    if "/critic@" in path.read_text()
}
"""Estimators that also choose a critic."""


def idx_file(array: np.ndarray) -> bytes:
    """An array of bytes in the format of MNIST's files."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


def cifar_file(images: np.ndarray, labels: list[int]) -> bytes:
    """Images (N, 3, 32, 32) in the format of CIFAR-10's files, with NumPy's names of 2009."""
    batch = {b"data": images.reshape(len(images), -1), b"labels": labels}
    today = np.empty(0).__reduce__()[0].__module__
    return pickle.dumps(batch, protocol=3).replace(today.encode(), b"numpy.core.multiarray")


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60 training and 20 test images in the format of MNIST's and CIFAR-10's files, which the
    loaders accept as the official ones.
    """
    source = np.random.default_rng(0)
    for split, size in ("train", 60), ("t10k", 20):
        place(
            tmp_path / f"data/mnist/{split}-images-idx3-ubyte.gz",
            idx_file(source.integers(256, size=(size, 28, 28), dtype="u1")),
        )
        place(
            tmp_path / f"data/mnist/{split}-labels-idx1-ubyte.gz",
            idx_file(np.arange(size, dtype="u1") % 10),
        )
    for name in cifar10.MD5:
        size = 20 if name == "test_batch" else 12
        images = source.integers(256, size=(size, 3, 32, 32), dtype="u1")
        place(
            tmp_path / "data/cifar-10-batches-py" / name,
            cifar_file(images, [index % 10 for index in range(size)]),
        )
    for module in mnist, cifar10:
        for path in (tmp_path / "data" / module.FOLDER).iterdir():
            monkeypatch.setitem(module.MD5, path.name, hashlib.md5(path.read_bytes()).hexdigest())
    return tmp_path / "data"


def place(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Ended(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def small(arguments: tuple[str, ...]) -> list[str]:
    """Small settings for groups whose option is not chosen in `arguments`, which come last and take
    precedence; flags come first. A loaded run brings its own.
    """
    if any(each.startswith("runner.load=") for each in arguments):
        return [*arguments]
    chosen = {each.partition("=")[0].lstrip("~+") for each in arguments} | (
        {"critic"} if OWN_CRITIC & {*arguments} else set()
    )
    settings = [each for each in SMALL if each.partition(".")[0] not in chosen]
    return sorted([*settings, *arguments], key=lambda each: not each.startswith("-"))


def drawn_once(figure: Figure, png: Callable[[Figure], bytes] = plots.png) -> bytes:
    """The figure as a PNG file, or an earlier figure with the same labels, because drawing takes a
    third of a small run.
    """
    labels = tuple(
        label
        for axes in figure.axes
        for label in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
    )
    if labels not in DRAWN:
        DRAWN[labels] = png(figure)
    return DRAWN[labels]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Use one thread, because small networks are much slower on two threads of a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_checks_in_compiled_networks() -> Iterator[None]:
    compiled = torch.compile
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            torch, "compile", lambda *args, **kw: shapes.unchecked(compiled(*args, **kw))
        )
        yield


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """`command("seed=1", "name=a")` is `python run.py seed=1 name=a` on small networks, in an empty
    folder and this process, which draws one figure of each kind.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "png", drawn_once)
    monkeypatch.setattr(sys, "argv", [str(RUN)])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    handlers = logging.getLogger().handlers[:]

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = run.launch(small(arguments))
        told = capsys.readouterr()
        return Ended(code, told.out, told.err)

    yield call
    logging.getLogger().handlers[:] = handlers


def exit_code(perform: Callable[[], None]) -> int | None:
    """How a function ends in a fork of this process."""
    process = multiprocessing.get_context("fork").Process(target=perform)
    process.start()
    process.join()
    return process.exitcode


class Background:
    """A command line in its own process, forked from this one, in which everything is imported."""

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self._log = folder / f"{uuid4().hex}.log"
        self._log.touch()  # a process killed at once has printed nothing
        self._process = multiprocessing.get_context("fork").Process(
            target=self._perform, args=(arguments, folder)
        )
        self._process.start()

    def _perform(self, arguments: Sequence[str], folder: Path) -> None:
        for number in CAUGHT:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
        printing_into(self._log)
        plots.png = drawn_once
        os.chdir(folder)
        sys.argv = [str(RUN)]
        sys.exit(run.launch(small(tuple(arguments))))

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait for its end, up to a limit."""
        self._process.join(seconds)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still alive."""
        if self.alive:
            os.kill(self._process.pid or 0, number)

    def ended(self) -> Ended:
        """Wait for its end; return its exit code, negative for a signal, and its output."""
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        return Ended(code, "", self._log.read_text())


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Callable[..., Background]]:
    """`background("seed=1", "name=a")` starts the command of `command`, which ends with the
    test.
    """
    begun: list[Background] = []

    def begin(*arguments: str) -> Background:
        begun.append(Background(arguments, tmp_path))
        return begun[-1]

    yield begin
    for each in begun:
        each.send(signal.SIGKILL)
        each.ended()


@pytest.fixture
def started(background: Callable[..., Background], tmp_path: Path) -> Callable[..., Background]:
    """`started("seed=1", name="a", lines=9)` returns after 9 lines of metrics of that run."""

    def start(*arguments: str, name: str, lines: int) -> Background:
        process = background(*arguments, f"name={name}")
        metrics = tmp_path / "outputs" / "runs" / name / "metrics.jsonl"
        while process.alive and not (
            metrics.is_file() and metrics.read_bytes().count(b"\n") >= lines
        ):
            time.sleep(0.002)
        assert process.alive, f"it ended before {lines} lines: {process.ended().err}"
        return process

    return start
