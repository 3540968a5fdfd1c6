"""What a run writes as it goes, for the report, TensorBoard and people to read."""

import json
import os
import platform
import traceback
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runners import checkpoint
from runners.errors import RunFailed
from runners.identity import config_hash, essence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor
    from torch.utils.tensorboard import SummaryWriter

PACKAGES = ("torch", "numpy", "hydra-core", "omegaconf")


class Outcome(NamedTuple):
    """What a runner hands back."""

    metrics: dict[str, Any]
    """Numbers, lists of numbers and short texts for result.json."""
    score: float
    """The one number that a sweeper may optimise."""
    summary: str
    """What a person reads first, one line or a few."""
    steps: int = 0
    seconds: float = 0.0


class Record(Protocol):
    """Where a runner writes what it finds."""

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        """Append one line: numbers, and lists of one number a copy."""
        ...

    def constants(self, values: Mapping[str, float | None]) -> None:
        """Numbers that stay, such as {"mi/true": 2.0}, drawn beside what is written; None is left out."""
        ...

    def figure(self, name: str, figure: "Figure", step: int) -> None: ...

    def pointwise(self, columns: Mapping[str, "Tensor"]) -> None:
        """Write a table of the test rows, each column (M,); it replaces an earlier one."""
        ...

    def history(self) -> list[dict[str, Any]]:
        """Every line written so far, by this process or by those before it."""
        ...

    def save(self, state: dict[str, Any]) -> None:
        """Write a checkpoint."""
        ...

    def restore(self) -> dict[str, Any] | None:
        """The checkpoint that this run begins from, or None."""
        ...


class InMemory:
    """The record of a run that was started from Python: its lines are kept, the rest is not."""

    def __init__(self) -> None:
        self._history: list[dict[str, Any]] = []

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        self._history.append({"step": step, "split": split, **values})

    def constants(self, values: Mapping[str, float | None]) -> None: ...

    def figure(self, name: str, figure: "Figure", step: int) -> None: ...

    def pointwise(self, columns: Mapping[str, "Tensor"]) -> None: ...

    def history(self) -> list[dict[str, Any]]:
        return self._history

    def save(self, state: dict[str, Any]) -> None: ...

    def restore(self) -> None: ...


class Recording:
    """A run's directory while it runs, a Record."""

    def __init__(self, path: Path, config: Mapping[str, Any], overrides: list[str]) -> None:
        self.path = path
        self._config = config
        self._result: dict[str, Any] = {
            "status": "running",
            "metrics": {},
            "score": None,
            "summary": "",
            "seed": config["seed"],
            "steps": 0,
            "seconds": 0.0,
            "steps_per_second": 0.0,
            "config_hash": config_hash(config),
            "overrides": overrides,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
            "error": None,
        }
        self._constants: dict[str, float] = {}
        self._state: dict[str, Any] | None = None
        self._board: SummaryWriter | None = None

    def open(self) -> None:
        """Say that the run is running, and put everything back to the last checkpoint.

        Raises RunFailed, before anything is written, if that is torn or counts lines that are lost.
        """
        self._state = checkpoint.load(self.path / "checkpoint.pt")
        metrics = self.path / "metrics.jsonl"
        metrics.touch()
        kept = self._state["metrics_bytes"] if self._state else 0
        if metrics.stat().st_size < kept:
            raise RunFailed(f"{metrics} has lost lines that its checkpoint counts; start afresh with force=true")
        self._write_result()
        os.truncate(metrics, kept)
        self._metrics = metrics.open("a", encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(self.path), purge_step=self._state["step"] + 1 if self._state else None)

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        self._metrics.write(json.dumps({"step": step, "split": split, **values}, allow_nan=False) + "\n")
        self._metrics.flush()
        scalars = {f"{name}/{split}": value for name, value in values.items() if isinstance(value, int | float)}
        for tag, value in {**scalars, **self._constants}.items():
            self.board.add_scalar(tag, value, step)

    def constants(self, values: Mapping[str, float | None]) -> None:
        self._constants = {tag: value for tag, value in values.items() if value is not None}
        tags = ["mi/train", "mi/validation", "mi/test", *values]
        self.board.add_custom_scalars({"mutual information": {"I(X;Y) in nats": ["Multiline", tags]}})

    def figure(self, name: str, figure: "Figure", step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

        from runners import plots

        picture = plots.png(figure)
        (self.path / "figures").mkdir(exist_ok=True)
        checkpoint.write_atomically(self.path / "figures" / f"{name}.png", picture)
        image = Summary.Image(encoded_image_string=picture)
        assert self.board.file_writer is not None
        self.board.file_writer.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def pointwise(self, columns: Mapping[str, "Tensor"]) -> None:
        import pandas as pd  # it takes half a second, which runs of no table need not wait for

        table = pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()})
        checkpoint.write_atomically(self.path / "pointwise.parquet", table.to_parquet(index=False))

    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "metrics.jsonl").read_text().splitlines()]

    def save(self, state: dict[str, Any]) -> None:
        os.fsync(self._metrics.fileno())
        checkpoint.save(self.path / "checkpoint.pt", {**state, "metrics_bytes": self._metrics.tell()})

    def restore(self) -> dict[str, Any] | None:
        return self._state

    @property
    def board(self) -> "SummaryWriter":
        """The writer of this run's TensorBoard events."""
        assert self._board is not None, "open() comes first"
        return self._board

    def complete(self, outcome: Outcome) -> None:
        """The run has come to its end: write its result, and its row in TensorBoard's table of hyperparameters."""
        from torch.utils.tensorboard.summary import hparams

        numbers = {f"result/{name}": value for name, value in outcome.metrics.items() if isinstance(value, int | float)}
        for tag, value in numbers.items():
            self.board.add_scalar(tag, value, outcome.steps)
        assert self.board.file_writer is not None
        for summary in hparams(self._settings(), numbers):
            self.board.file_writer.add_summary(summary)
        self._result |= outcome._asdict()
        self._result["steps_per_second"] = outcome.steps / outcome.seconds if outcome.seconds else 0.0
        self.close("completed")

    def _settings(self) -> dict[str, bool | int | float | str]:
        """What decides the run, by dotted key; a group goes by the class that was chosen in it."""
        plain = {key: value for key, value in essence(self._config).items() if isinstance(value, bool | int | float | str)}
        chosen = {
            key.removesuffix("._target_"): str(value).rpartition(".")[2] for key, value in plain.items() if "_target_" in key
        }
        settings = {key: value for key, value in plain.items() if not key.endswith("_") and "${" not in str(value)}
        return {**chosen, **settings}

    def close(self, status: str, error: BaseException | None = None) -> None:
        """Write the last word on this run."""
        if error is not None:
            trace = "".join(traceback.format_exception(error))
            self._result["error"] = {"type": type(error).__name__, "message": str(error), "traceback": trace}
        self._result["status"] = status
        if self._board is not None:
            self._metrics.close()
            self._board.close()
        self._write_result()

    def _write_result(self) -> None:
        text = json.dumps(self._result, indent=2, allow_nan=False) + "\n"
        checkpoint.write_atomically(self.path / "result.json", text.encode())
