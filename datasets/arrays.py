"""Your own pairs: two arrays whose rows belong together."""

import tokenize
import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from datasets.transforms import Transform

UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and the standard library raise at a file that is damaged or something else."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Rows x (N, dim_x) and y (N, dim_y), paired; the shares `validation` and `test` are held back, to stop by and to read.

    Raises ValueError if the numbers of rows differ or a share leaves nothing.
    """

    x: Tensor
    y: Tensor
    validation: float
    test: float
    transform: Transform
    mutual_information: None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not (self.validation > 0 and self.test > 0 and self.validation + self.test < 1):
            raise ValueError(
                "validation and test must be positive shares of the rows that leave some for training, got "
                f"{self.validation} and {self.test}"
            )
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y must have the same number of rows, got {len(self.x)} and {len(self.y)}")

    @classmethod
    def read(cls, path: str, validation: float, test: float, transform: Transform) -> "Arrays":
        """The arrays `x` and `y` of a .npz file.

        Raises FileNotFoundError if there is none, and ValueError if it cannot be read as numbers; a pickle is never opened.
        """
        try:
            archive = np.load(path, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("expected a .npz file with the arrays x and y, got a single array")
            with archive:
                if not {"x", "y"} <= set(archive.files):
                    raise ValueError(f"expected a .npz file with the arrays x and y, got {archive.files}")
                x, y = archive["x"], archive["y"]
        except FileNotFoundError:
            raise FileNotFoundError(f"path must name a .npz file with the arrays x and y, but {path} is not there") from None
        except UNREADABLE as error:
            raise ValueError(
                f"path {path} cannot be read: {error}; write it by numpy.savez(path, x=x, y=y) from arrays of numbers"
            ) from error
        return cls(table("x", x), table("y", y), validation, test, transform)


def table(name: str, values: ArrayLike | Tensor) -> Tensor:
    """`values` (N, ...) as a float32 tensor (N, D), what is behind the first axis flattened; `name` is for the error.

    Raises ValueError if they are not real numbers, none at all, or not finite.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu().to(torch.float32 if values.is_floating_point() else values.dtype)
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must have every value, got {np.ma.count_masked(values)} masked ones; drop or fill these rows")
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must have at least one row and one column, got shape {array.shape}")
    with np.errstate(over="ignore"):
        table = array.reshape(len(array), -1).astype(np.float32)
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{name} must be finite, got {bad.sum()} values that are NaN, infinite or beyond float32, the first in row {row}, "
            f"column {column}; drop or fill these rows"
        )
    return torch.from_numpy(table)
