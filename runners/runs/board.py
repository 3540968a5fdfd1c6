"""TensorBoard: the events of a run, and its row in the table of hyperparameters (HParams)."""

import io
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.json_format import ParseDict
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter

from infobound.runners.runs import checkpoint
from infobound.runners.runs.identity import leaves
from infobound.runners.runs.written import Written

CURVES = ["mi/train", "mi/validation", "mi/test", "mi/true", "mi/cap"]
"""Curves of every run in the custom scalars chart."""
ROW = "events.out.tfevents.row"
"""Name prefix of a row's file, which TensorBoard reads after the numbered event files."""
ENDS = {"completed": "STATUS_SUCCESS", "interrupted": "STATUS_UNKNOWN"}
"""TensorBoard's names for how a run ended; anything else is a failure."""


class Board:
    """Writes the events of a run that starts, or continues after `step` steps; its earlier row is
    removed.
    """

    def __init__(self, path: Path, step: int | None) -> None:
        for earlier in path.glob(f"{ROW}*"):
            earlier.unlink()
        self._writer = SummaryWriter(str(path), purge_step=0 if step is None else step + 1)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def layout(self) -> None:
        """Draw the curves with truth and cap in one chart, which is the same for all runs, so that
        a sweep has one chart too.
        """
        self._writer.add_custom_scalars(
            {"mutual information": {"I(X;Y) in nats": ["Multiline", CURVES]}}
        )

    def image(self, name: str, png: bytes, step: int) -> None:
        assert self._writer.file_writer is not None
        picture = Summary.Image(encoded_image_string=png)
        self._writer.file_writer.add_summary(
            Summary(value=[Summary.Value(tag=name, image=picture)]), step
        )

    def close(self) -> None:
        self._writer.close()


def row(path: Path, config: Written, metrics: Written, status: str, step: int = 0) -> None:
    """Write the row of the run in `path`, with its settings, its numbers and how it ended,
    replacing an earlier row.

    TensorBoard keeps the first row that it finds of a run, so each row has its own file. A server
    that has shown the earlier row shows it until it is restarted.
    """
    # TensorBoard initially shows a few columns: those that differ, then by name, capitals first.
    began = {
        "sessionStartInfo": {
            "hparams": {"Status": status, **dict(settings(config))},
            "startTimeSecs": time.time(),
        }
    }
    ended = {
        "sessionEndInfo": {"status": ENDS.get(status, "STATUS_FAILURE"), "endTimeSecs": time.time()}
    }
    numbers = {
        f"final/{name}": value for name, value in metrics.items() if isinstance(value, int | float)
    }
    values = [
        _told(metadata.SESSION_START_INFO_TAG, began),
        _told(metadata.SESSION_END_INFO_TAG, ended),
        *(Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()),
    ]
    before = [*path.glob(f"{ROW}*")]
    path.mkdir(parents=True, exist_ok=True)
    checkpoint.write_atomically(
        path / f"{ROW}.{time.time_ns()}", _events(Summary(value=values), step)
    )
    for earlier in before:
        earlier.unlink()


def _told(tag: str, content: Written) -> Summary.Value:
    about = metadata.create_summary_metadata(ParseDict({**content}, HParamsPluginData()))
    return Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)


def _events(summary: Summary, step: int) -> bytes:
    """The bytes of an event file with one summary."""
    written, now = io.BytesIO(), time.time()
    for event in (Event(file_version="brain.Event:2"), Event(summary=summary, step=step)):
        event.wall_time = now
        RecordWriter(written).write(event.SerializeToString())
    return written.getvalue()


def settings(config: Written) -> Iterator[tuple[str, bool | float | str]]:
    """The settings by dotted key; a group is given by its chosen class; lists and infinities become
    text.
    """
    for key, value in leaves({**config, "name": None, "force": None}):
        if key.endswith("._target_"):
            yield key.removesuffix("._target_"), str(value).rpartition(".")[2]
        elif (isinstance(value, list) and value) or value in (math.inf, -math.inf):
            yield key, str(value)
        elif (
            isinstance(value, bool | int | float | str)
            and not key.endswith("_")
            and "${" not in str(value)
        ):
            yield key, value
