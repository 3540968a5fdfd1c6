"""Snapshots: samples from during a training, kept next to its metrics so that figures can be drawn
again.

R copies, N samples.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from infobound.runners.runs import checkpoint

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "samples"
DATA = "data"


class Snapshots(NamedTuple):
    """The snapshots in a run's folder."""

    data: np.ndarray
    """(N, *shape) the data that the generators were to learn."""
    files: dict[int, Path]
    """Files of samples (R, N, *shape), by step."""

    @classmethod
    def of(cls, run: Path) -> "Snapshots | None":
        """The snapshots of a run, None if it has not kept samples of its data and its
        generators.
        """
        files = {path.stem: path for path in sorted((run / FOLDER).glob("*.npy"))}
        data = files.pop(DATA, None)
        if data is None or not files:
            return None
        return cls(np.load(data).astype("f4"), {int(stem): path for stem, path in files.items()})

    @property
    def last(self) -> np.ndarray:
        """The latest samples (R, N, *shape)."""
        return next(each for _, each in self.through([max(self.files)]))

    def through(self, steps: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each step with its samples (R, N, *shape)."""
        for step in steps:
            yield step, np.load(self.files[step]).astype("f4")


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
