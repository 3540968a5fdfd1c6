"""A run's directory: its run, its files, and the right to write there."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import yaml

from infobound import regular
from infobound.runners.runs import checkpoint, files, schemas
from infobound.runners.runs.aside import LOG, check_links, set_aside
from infobound.runners.runs.errors import (
    ConfigError,
    Damaged,
    DamagedState,
    Interrupted,
    Occupied,
    Unanswerable,
)
from infobound.runners.runs.formats import USUAL
from infobound.runners.runs.identity import differences
from infobound.runners.runs.locks import locked
from infobound.runners.runs.records import Recording
from infobound.runners.runs.written import Written

log = logging.getLogger(__name__)
LAST, BEST = "checkpoint.pt", "best.pt"
"""Files of the state after the last step, and of the best state if it is kept."""
PATIENCE = 0.1
"""Seconds to wait for a directory's lock, because processes that only check it hold the lock
briefly.
"""
OWN = (
    "metrics.jsonl",
    "result.json",
    LAST,
    BEST,
    "metrics.csv",
    LOG,
    ".hydra/*.yaml",
    "figures/*.png",
    "figures/*.gif",
    "samples/*.npy",
    "events.out.tfevents.*",
)
"""The files that every run writes. `force` removes these, and those that the run has listed."""


class RunDirectory:
    """A run's directory before it is changed: its content, and whether this configuration may
    continue it.

    If a result is expected, as for every job of a sweep, a refused run writes one too; otherwise it
    writes nothing.
    """

    def __init__(
        self, path: Path, texts: Mapping[str, str], overrides: list[str], *, expected: bool
    ) -> None:
        self.path = path
        self._texts, self._overrides, self._expected = texts, overrides, expected
        self._config: Written = yaml.safe_load(texts["config.yaml"])
        self._recording: Recording | None = None

    def completed(self) -> Written | None:
        """The result of this run if it is already completed, otherwise None.

        Raises Occupied if the directory has a run with another configuration or with more steps,
        and Damaged if it cannot be read.
        """
        result, before = schemas.result(self.path), schemas.config(self.path)
        if result is None or before is None:
            return None
        if changed := differences(before, self._config):
            raise Occupied(
                f"{self.path} has a run of another configuration ({changed}); use another name,"
                " or force=true"
            )
        asked, had = (config["runner"].get("steps") or 0 for config in (self._config, before))
        if asked < had:
            raise Occupied(
                f"runner.steps can only grow under one name, got {asked} after {had}; use another"
                " name, or force=true"
            )
        if result["status"] != "completed" or asked != had:
            return None
        schemas.lines(self.path)
        return result

    def earlier(self) -> Written | None:
        """The result of this run if it is already completed; damaged files of a sweep's job are
        set aside.

        Raises Occupied like completed().
        """
        try:
            return self.completed()
        except Damaged as error:
            self._set_aside(error)
            return None

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the directory, and record the error if the block ends early.

        Raises Busy if another process has the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path, os.W_OK):
            raise ConfigError(
                f"the run's folder {self.path} cannot be written; set another name or hydra.run.dir"
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
    def recording(
        self, *, force: bool, csv: bool = False, formats: Sequence[str] = USUAL
    ) -> Iterator[Recording]:
        """Write the configuration into the claimed directory and start the record; `csv` also
        writes a table, and figures are written in each of `formats`.

        Raises Damaged if the directory has links, and RunFailed if the checkpoint is damaged; files
        of a sweep's job are set aside instead.
        """
        try:
            check_links(self.path)
        except Damaged as error:
            self._set_aside(error)
        if force:
            self._clear()
        recording = Recording(self.path, self._config, self._overrides, csv=csv, formats=formats)
        try:
            recording.open()  # if this fails, nothing here changes
        except (Damaged, DamagedState) as error:
            self._set_aside(error)
            recording.open()
        self._recording = recording
        with _logged_to(self.path / LOG):
            (self.path / ".hydra").mkdir(exist_ok=True)
            for name, text in self._texts.items():
                checkpoint.write_atomically(self.path / ".hydra" / name, text.encode())
            yield recording

    def fail(self, error: BaseException) -> None:
        """Record the error that ended the run; before the record is open, only if a result is
        expected and there is none.
        """
        recording = self._recording
        if (
            recording is None
            and self._expected
            and (self._result() or {}).get("status") != "completed"
        ):
            recording = Recording(self.path, self._config, self._overrides)
        if recording is not None:
            status = "refused" if isinstance(error, Unanswerable) else "failed"
            recording.close(status, error=error)

    def _result(self) -> Written | None:
        try:
            return schemas.result(self.path)
        except Damaged as error:
            self._set_aside(error)
            return None

    def _set_aside(self, error: Damaged | DamagedState) -> None:
        """Set the files of a sweep's job aside; raise the error for other runs."""
        if not self._expected:
            raise error
        log.warning(f"{error}; its files are now in {set_aside(self.path, str(error))}")

    def _clear(self) -> None:
        own = [file for pattern in OWN for file in self.path.glob(pattern)]
        for file in [*own, *files.written(self.path)]:
            if file.name == LOG:
                os.truncate(file, 0)  # the output of a sweep's job goes there
            else:
                file.unlink(missing_ok=True)


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    handler = _Unfailing(
        os.fdopen(regular.writable(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8")
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
        with suppress(OSError):
            handler.stream.close()


class _Unfailing(logging.StreamHandler[TextIO]):
    """Writes to a file; what a full disk does not take is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass
