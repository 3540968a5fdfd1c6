"""Snapshots: samples that a training made on its way, kept beside its metrics so that figures can
be drawn again.

R copies, N samples.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from infobound.runners.runs import checkpoint

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "samples"
DATA = "data"


class Snapshots(NamedTuple):
    """What stands in a run's folder."""

    data: np.ndarray
    """(N, *shape) what the generators were to learn."""
    files: dict[int, Path]
    """Where samples (R, N, *shape) stand, by step."""

    @classmethod
    def of(cls, run: Path) -> "Snapshots | None":
        """Those of a run, None if it has kept no samples of its data and its generators."""
        files = {path.stem: path for path in sorted((run / FOLDER).glob("*.npy"))}
        data = files.pop(DATA, None)
        if data is None or not files:
            return None
        return cls(np.load(data).astype("f4"), {int(stem): path for stem, path in files.items()})

    @property
    def last(self) -> np.ndarray:
        """The samples (R, N, *shape) after most steps."""
        return next(each for _, each in self.through([max(self.files)]))

    def through(self, steps: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Each of the steps with its samples (R, N, *shape)."""
        for step in steps:
            yield step, np.load(self.files[step]).astype("f4")


def write(run: Path, step: int | None, x: "Tensor") -> None:
    """Keep samples (R, N, *shape) after `step` steps, or data (N, *shape) where it is None; an
    earlier file is replaced.

    They are for looking at: 16 bits a number.
    """
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, x.detach().half().cpu().numpy())
    checkpoint.write_atomically(
        folder / f"{DATA if step is None else f'{step:09d}'}.npy", buffer.getvalue()
    )
