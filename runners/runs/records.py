"""The record of a run, written as it goes, for the report, for TensorBoard and for people."""

import csv
import io
import json
import os
import platform
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from infobound import regular
from infobound.runners.runs import checkpoint, schemas
from infobound.runners.runs.errors import DamagedState, RunFailed, fitting
from infobound.runners.runs.files import Files
from infobound.runners.runs.formats import USUAL
from infobound.runners.runs.identity import config_hash
from infobound.runners.runs.written import State, Written

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from infobound.runners.runs.board import Board

PACKAGES = ("torch", "numpy", "hydra-core", "omegaconf")


class Outcome(NamedTuple):
    """The outcome that a runner returns."""

    metrics: Written
    """Numbers, lists of numbers and short texts for result.json."""
    score: float | None
    """The number that a sweeper may optimise, None if it could not be read."""
    summary: str
    """A summary for people, one line or a few."""
    units: Mapping[str, str]
    """The units of the metrics that have one, by name."""
    steps: int = 0
    seconds: float = 0.0


class Record(Protocol):
    """The record to which a runner writes its values."""

    def write(self, step: int, split: str, values: Written) -> None:
        """Append one line: numbers, and lists with one number for each copy."""
        ...

    def constants(self, values: Mapping[str, float | None]) -> None:
        """Set constants, such as {"mi/true": 2.0}, which are drawn with the written values; None is
        left out.
        """
        ...

    def figure(self, name: str, figure: "Figure", step: int) -> None: ...

    def rows(self, name: str, columns: Mapping[str, "Tensor"], *, text: bool = False) -> None:
        """Write a table of the test rows, each column (M,), to `name`.parquet, and as `text` to
        `name`.csv; it replaces an earlier one.
        """
        ...

    def arrays(self, name: str, arrays: Mapping[str, "Tensor"]) -> None:
        """Write arrays to `name`.npz, replacing earlier ones."""
        ...

    def samples(self, step: int | None, x: "Tensor") -> None:
        """Keep samples x (R, N, *shape) after `step` steps for figures, or data (N, *shape) if
        `step` is None.
        """
        ...

    def history(self) -> list[Written]:
        """Every line written so far, by this process or by earlier ones."""
        ...

    def save(self, state: State) -> None:
        """Write a checkpoint."""
        ...

    def save_best(self, state: State) -> None:
        """Write the best state so far next to the checkpoint."""
        ...

    def restore(self) -> State | None:
        """The checkpoint from which this run starts, or None."""
        ...


def frame(columns: Mapping[str, "Tensor"]) -> "pd.DataFrame":
    """A table of columns (M,) by name."""
    import pandas as pd  # takes half a second, and most runs do not need it

    return pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()})


def _flat(line: Written) -> Iterator[tuple[str, object]]:
    """The values of a line by name; values of a list have their index in the name."""
    for name, value in line.items():
        if isinstance(value, list):
            yield from ((f"{name}_{at}", each) for at, each in enumerate(value))
        else:
            yield name, value


class InMemory:
    """The record of a run started from Python: it keeps the lines and nothing else."""

    def __init__(self) -> None:
        self._history: list[Written] = []

    def write(self, step: int, split: str, values: Written) -> None:
        self._history.append({"step": step, "split": split, **values})

    def constants(self, values: Mapping[str, float | None]) -> None: ...

    def figure(self, name: str, figure: "Figure", step: int) -> None: ...

    def rows(self, name: str, columns: Mapping[str, "Tensor"], *, text: bool = False) -> None: ...

    def arrays(self, name: str, arrays: Mapping[str, "Tensor"]) -> None: ...

    def samples(self, step: int | None, x: "Tensor") -> None: ...

    def history(self) -> list[Written]:
        return self._history

    def save(self, state: State) -> None: ...

    def save_best(self, state: State) -> None: ...

    def restore(self) -> None: ...


class Recording:
    """The Record in a run's directory; with `csv` its lines are also in metrics.csv, and
    figures are written in each of `formats`."""

    def __init__(
        self,
        path: Path,
        config: Written,
        overrides: list[str],
        *,
        csv: bool = False,
        formats: Sequence[str] = USUAL,
    ) -> None:
        self.path, self._csv, self._formats = path, csv, formats
        self._config = config
        self._result: State = {
            "status": "running",
            "metrics": {},
            "units": {},
            "score": None,
            "summary": "",
            "seed": config["seed"],
            "steps": 0,
            "seconds": 0.0,
            "steps_per_second": 0.0,
            "config_hash": config_hash(config),
            "overrides": overrides,
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in PACKAGES},
            },
            "error": None,
        }
        self._files = Files(path)
        self._constants: dict[str, float] = {}
        self._state: State | None = None
        self._board: Board | None = None

    def open(self) -> None:
        """Mark the run as running, and restore everything to the last checkpoint.

        Before anything is written, raises DamagedState if the checkpoint is damaged or counts lines
        that are lost, and Damaged if these lines cannot be read.
        """
        self._state = checkpoint.load(self.path / "checkpoint.pt", schemas.OF_A_CHECKPOINT)
        metrics = self.path / schemas.METRICS
        kept = self._state["metrics_bytes"] if self._state else 0
        if kept > (metrics.stat().st_size if metrics.exists() else 0):
            raise DamagedState(
                f"{metrics} has lost lines that its checkpoint counts; start again with force=true"
            )
        schemas.lines(self.path, kept)
        self._write_result()
        descriptor = regular.writable(metrics, os.O_WRONLY | os.O_APPEND)
        os.truncate(descriptor, kept)
        self._metrics = os.fdopen(descriptor, "a", encoding="utf-8")
        from infobound.runners.runs.board import (
            Board,  # importing TensorBoard takes a second, and refused runs do not need it
        )

        self._board = Board(self.path, self._state["step"] if self._state else None)

    def write(self, step: int, split: str, values: Written) -> None:
        self._metrics.write(
            json.dumps({"step": step, "split": split, **values}, allow_nan=False) + "\n"
        )
        self._metrics.flush()
        scalars = {
            f"{name}/{split}": value
            for name, value in values.items()
            if isinstance(value, int | float)
        }
        self.board.scalars({**scalars, **self._constants}, step)

    def constants(self, values: Mapping[str, float | None]) -> None:
        self._constants = {tag: value for tag, value in values.items() if value is not None}
        self.board.layout()

    def figure(self, name: str, figure: "Figure", step: int) -> None:
        from infobound.runners.runs import plots

        picture = plots.png(figure)
        (self.path / "figures").mkdir(exist_ok=True)
        for form in self._formats:
            file = f"figures/{name}.{form}"
            if form == "png":
                checkpoint.write_atomically(self.path / file, picture)
            else:
                checkpoint.write_atomically(self._files.new(file), plots.file(figure, form))
        self.board.image(name, picture, step)

    def rows(self, name: str, columns: Mapping[str, "Tensor"], *, text: bool = False) -> None:
        table = frame(columns)
        content = table.to_parquet(index=False)
        checkpoint.write_atomically(self._files.new(f"{name}.parquet"), content)
        if text:
            content = table.to_csv(index=False).encode()
            checkpoint.write_atomically(self._files.new(f"{name}.csv"), content)

    def arrays(self, name: str, arrays: Mapping[str, "Tensor"]) -> None:
        from infobound.runners.runs import snapshots

        snapshots.archive(self._files.new(f"{name}.npz"), arrays)

    def samples(self, step: int | None, x: "Tensor") -> None:
        # importing NumPy takes a while, and refused runs do not need it
        from infobound.runners.runs import snapshots

        snapshots.write(self.path, step, x)

    def history(self) -> list[Written]:
        return schemas.lines(self.path)

    def save(self, state: State) -> None:
        os.fsync(self._metrics.fileno())
        checkpoint.save(
            self.path / "checkpoint.pt", {**state, "metrics_bytes": self._metrics.tell()}
        )

    def save_best(self, state: State) -> None:
        checkpoint.save(self.path / "best.pt", state)

    def restore(self) -> State | None:
        return self._state

    @property
    def board(self) -> "Board":
        """The TensorBoard events of this run."""
        assert self._board is not None, "open() comes first"
        return self._board

    def complete(self, outcome: Outcome) -> None:
        """Write the result of the completed run."""
        self._result |= outcome._asdict()
        self._result["steps_per_second"] = (
            outcome.steps / outcome.seconds if outcome.seconds else 0.0
        )
        self.close("completed")

    def close(self, status: str, error: BaseException | None = None) -> None:
        """Write the result of this run, and its row in TensorBoard's table.

        Raises RunFailed if the result of a completed run cannot be written; a full disk then keeps
        the first file of this run, which is overwritten in place by how it ended.
        """
        if error is not None:
            trace = "".join(traceback.format_exception(error))
            self._result["error"] = {
                "type": type(error).__name__,
                "message": fitting(str(error)),
                "traceback": trace,
            }
        completed = status == "completed"
        with nullcontext() if completed else suppress(OSError, RunFailed):
            self._close_files()
        self._result["status"] = status
        try:
            self._write_result()
        except RunFailed:
            if completed:
                raise
            self._overwrite_result()
        with suppress(OSError, RunFailed):  # the result is written, so nothing can fail the run
            from infobound.runners.runs import board

            board.row(
                self.path, self._config, self._result["metrics"], status, self._result["steps"]
            )

    def _close_files(self) -> None:
        if self._board is not None:  # otherwise the run ended before it started
            self._metrics.close()
            self._board.close()
            if self._csv:
                self._write_csv()

    def _overwrite_result(self) -> None:
        """Overwrite the result in place, without its traceback, which a full disk has room for."""
        short = {**self._result, "metrics": {}, "error": self._result["error"]}
        if short["error"] is not None:
            short["error"] = {**short["error"], "traceback": ""}
        text = (json.dumps(short, allow_nan=False) + "\n").encode()
        with suppress(OSError):
            descriptor = regular.writable(self.path / schemas.RESULT, os.O_WRONLY)
            try:
                os.pwrite(descriptor, text, 0)
                os.truncate(descriptor, len(text))
            finally:
                os.close(descriptor)

    def _write_csv(self) -> None:
        table = io.StringIO()
        lines = [dict(_flat(line)) for line in self.history()]
        names = {name: None for line in lines for name in line}
        writer = csv.DictWriter(table, [*names], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        checkpoint.write_atomically(self.path / "metrics.csv", table.getvalue().encode())

    def _write_result(self) -> None:
        text = json.dumps(self._result, indent=2, allow_nan=False) + "\n"
        checkpoint.write_atomically(self.path / "result.json", text.encode())
