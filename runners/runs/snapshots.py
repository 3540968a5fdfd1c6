"""Snapshots: samples from during a training, kept next to its metrics so that figures can be drawn
again.

R copies, N samples.
"""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar

import numpy as np

from infobound import regular
from infobound.runners.runs import checkpoint
from infobound.runners.runs.errors import Damaged
from infobound.runners.runs.schemas import read_file

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
FOLDER = "samples"
DATA = "data"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""The readers of a file's type and shape, by the version of its format."""


class Snapshots(NamedTuple):
    """The snapshots in a run's folder."""

    data: np.ndarray
    """(N, *shape) the data that the generators were to learn."""
    files: dict[int, Path]
    """Files of samples (R, N, *shape), by step."""

    @classmethod
    def of(cls, run: Path) -> "Snapshots | None":
        """The snapshots of a run, None if it kept no samples of its data and its generators."""
        files = {path.stem: path for path in sorted((run / FOLDER).glob("*.npy"))}
        data = files.pop(DATA, None)
        by_step = {int(stem): path for stem, path in files.items() if stem.isdecimal()}
        if data is None or not by_step:
            return None
        kept = _array(data)
        if not np.isfinite(kept).all():
            raise Damaged(f"{data} must hold finite numbers; move it away")
        _, *shape = kept.shape
        for path in by_step.values():
            _, _, *of_samples = _read(path, _shape)
            if of_samples != shape:
                raise Damaged(f"{path} must hold samples like those of {data}; move it away")
        return cls(kept, by_step)

    @property
    def last(self) -> np.ndarray:
        """The latest samples (R, N, *shape)."""
        return next(each for _, each in self.through([max(self.files)]))

    def through(self, steps: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each step with its samples (R, N, *shape)."""
        for step in steps:
            yield step, _array(self.files[step])


def _array(path: Path) -> np.ndarray:
    def parse(file: BinaryIO) -> np.ndarray:
        _shape(file)
        file.seek(0)
        return np.load(file, allow_pickle=False).astype("f4")

    return _read(path, parse)


def _read(path: Path, parse: Callable[[BinaryIO], T]) -> T:
    """The result of `parse` for a file of samples.

    Raises Damaged if it holds something else.
    """
    found = read_file(path, "a file of samples", parse)
    if found is None:
        raise Damaged(f"{path} is not there any more")
    return found


def _shape(file: BinaryIO) -> tuple[int, ...]:
    """The shape of the numbers in a file, which holds all of them: points in a plane (..., 2), or
    images (..., channels, height, width) with up to three channels.

    Raises ValueError if it holds something else.
    """
    read_header = HEADERS[np.lib.format.read_magic(file)]
    shape, _, kind = read_header(file)
    if kind.kind != "f" or 0 in shape:
        raise ValueError(f"it must hold numbers, got {kind} {shape}")
    points, images = shape[-1:] == (2,) and len(shape) in (2, 3), len(shape) in (4, 5)
    if not (points or (images and shape[-3] <= 3)):
        raise ValueError(f"it must hold points (..., 2) or images, got {shape}")
    has = regular.size(file) - file.tell()
    if has != math.prod(shape) * kind.itemsize:
        raise ValueError(f"it must hold {shape}, got {has} bytes")
    return shape


def archive(path: Path, arrays: Mapping[str, "Tensor"]) -> None:
    """Write arrays by name, in full precision, replacing an earlier file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{n: x.detach().cpu().numpy() for n, x in arrays.items()})
    checkpoint.write_atomically(path, buffer.getvalue())


def write(run: Path, step: int | None, x: "Tensor") -> None:
    """Write samples (R, N, *shape) after `step` steps, or data (N, *shape) if `step` is None,
    replacing an earlier file.

    They are only for figures, so they have 16 bits a number.
    """
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, x.detach().half().cpu().numpy())
    checkpoint.write_atomically(
        folder / f"{DATA if step is None else f'{step:09d}'}.npy", buffer.getvalue()
    )
