"""A run's directory: whose it is, what is in it, and who may write there."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from infobound.runners.runs import checkpoint
from infobound.runners.runs.errors import ConfigError, Interrupted, Occupied
from infobound.runners.runs.identity import differences
from infobound.runners.runs.locks import locked
from infobound.runners.runs.records import Recording
from infobound.runners.runs.written import Written

LOG = "run.log"
LAST, BEST = "checkpoint.pt", "best.pt"
"""The state after the last step, and at the best reading where that is kept."""
PATIENCE = 0.1
"""Seconds after which a directory is taken for another process's; who only looks has its lock for a
moment.
"""
OWN = (
    "metrics.jsonl",
    "result.json",
    LAST,
    BEST,
    "metrics.csv",
    "pointwise.parquet",
    "predictions.parquet",
    "predictions.csv",
    "codes.parquet",
    "samples.npz",
    LOG,
    ".hydra/*.yaml",
    "figures/*.png",
    "figures/*.gif",
    "samples/*.npy",
    "events.out.tfevents.*",
)
"""Everything that a run writes; `force` removes this and nothing else."""


class RunDirectory:
    """A run's directory before it is touched: what is there, and whether this configuration may go
    on from it.

    Where a result is expected, as of every job of a sweep, a refused run leaves one too; elsewhere
    it leaves nothing.
    """

    def __init__(
        self, path: Path, texts: Mapping[str, str], overrides: list[str], *, expected: bool
    ) -> None:
        self.path = path
        self._texts, self._overrides, self._expected = texts, overrides, expected
        self._config: Written = yaml.safe_load(texts["config.yaml"])
        self._recording: Recording | None = None

    def completed(self) -> Written | None:
        """The result of this very run, if it has been completed before; None if it is still to do.

        Raises Occupied if another configuration, or more steps, stand under this name.
        """
        saved = self.path / ".hydra" / "config.yaml"
        result = read_result(self.path)
        if result is None or not saved.is_file():
            return None
        before: Written = yaml.safe_load(saved.read_text())
        if changed := differences(before, self._config):
            raise Occupied(
                f"{self.path} holds a run of another configuration ({changed}); use another name,"
                " or force=true"
            )
        asked, had = (config["runner"].get("steps", 0) for config in (self._config, before))
        if asked < had:
            raise Occupied(
                f"runner.steps can only grow under one name, got {asked} after {had}; use another"
                " name, or force=true"
            )
        return result if result["status"] == "completed" and asked == had else None

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other processes out, and write down how the block ends where it ends early.

        Raises Busy if another process is at it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path, os.W_OK):
            raise ConfigError(
                f"the run's folder {self.path} cannot be written; give another name or"
                " hydra.run.dir"
            )
        with locked(self.path, seconds=PATIENCE):
            try:
                yield
            except Occupied:
                raise
            except Interrupted:
                if self._recording:
                    self._recording.close("interrupted")
                raise
            except BaseException as error:
                self.fail(error)
                raise

    @contextmanager
    def recording(self, *, force: bool, csv: bool = False) -> Iterator[Recording]:
        """Write the configuration into the claimed directory, and record, with `csv` as a table
        too.

        Raises RunFailed if the checkpoint in it is torn.
        """
        if force:
            self._clear()
        recording = Recording(self.path, self._config, self._overrides, csv=csv)
        recording.open()  # if this fails, everything here stays as it is
        self._recording = recording
        with _logged_to(self.path / LOG):
            (self.path / ".hydra").mkdir(exist_ok=True)
            for name, text in self._texts.items():
                checkpoint.write_atomically(self.path / ".hydra" / name, text.encode())
            yield recording

    def fail(self, error: BaseException) -> None:
        """Write down what ended the run; before it has begun to record, only where a result is
        expected and none stands.
        """
        recording = self._recording
        if (
            recording is None
            and self._expected
            and (read_result(self.path) or {}).get("status") != "completed"
        ):
            recording = Recording(self.path, self._config, self._overrides)
        if recording is not None:
            recording.close("failed", error=error)

    def _clear(self) -> None:
        for pattern in OWN:
            for file in self.path.glob(pattern):
                if file.name == LOG:
                    os.truncate(file, 0)  # what a job of a sweep prints goes there
                else:
                    file.unlink()


def read_result(path: Path) -> Written | None:
    """The result.json of a run directory, or None if there is none.

    Raises Occupied if it cannot be read.
    """
    file = path / "result.json"
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Occupied(
            f"{file} cannot be read: {error}; use another name, or force=true"
        ) from error


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
