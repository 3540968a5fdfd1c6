"""Your own pairs: two arrays whose rows are paired."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from infobound.datasets.files import numpy_files, sides
from infobound.datasets.files.csv_text import USUAL, CsvText
from infobound.datasets.files.sides import Missing
from infobound.datasets.interfaces import About, Joint, Order
from infobound.datasets.transforms import Transform
from infobound.datasets.units import copies as copies_among
from infobound.errors import SettingError


@dataclass(frozen=True, eq=False)
class Arrays:
    """Paired rows x (N, dim_x) and y (N, dim_y); the shares `validation` and `test` are held out,
    to decide when to stop and to read the estimate.

    With `folds` the rows are cross-fitted: each fold is once the test rows, for critics trained on
    the other folds without the share `validation` of all rows; `test` is not used. With `order:
    time` the rows follow one another, as in a time series.

    Raises ValueError if the numbers of rows differ or a share leaves no training rows.
    """

    x: Tensor
    y: Tensor
    validation: float
    test: float
    transform: Transform
    folds: int | None = None
    mutual_information: float | None = None
    groups: Tensor | None = None
    """(N,) the group of each row, as a number; None if every row is on its own."""
    places: Tensor | None = None
    """(N,) the positions of the rows in their file; None if all of its rows are here."""
    told: Sequence[str] = ()
    """Facts about the rows that a user should know."""
    order: Order = "none"

    def __post_init__(self) -> None:
        if self.folds is not None and self.folds < 2:
            raise SettingError(
                "folds", "must be at least 2, or null for a single split", self.folds
            )
        if self.folds is not None and not 0 < self.validation < 1 - 1 / self.folds:
            raise SettingError(
                "validation",
                "must be a positive share of the rows that leaves some for training next to one"
                f" of {self.folds} folds",
                self.validation,
            )
        if self.folds is None and not (
            self.validation > 0 and self.test > 0 and self.validation + self.test < 1
        ):
            raise SettingError(
                ("validation", "test"),
                "must be positive shares of the rows that leave some for training",
                f"{self.validation} and {self.test}",
            )
        if self.transform not in get_args(Transform):
            raise SettingError(
                "transform", f"must be one of {', '.join(get_args(Transform))}", self.transform
            )
        if self.order not in get_args(Order):
            raise SettingError("order", f"must be one of {', '.join(get_args(Order))}", self.order)
        if self.order == "time" and self.groups is not None:
            raise SettingError("order", "must be none for rows in groups", self.order)
        if len(self.x) != len(self.y):
            raise ValueError(
                f"x and y must have the same number of rows, got {len(self.x)} and {len(self.y)}"
            )

    @property
    def about(self) -> About:
        """Rows of one group, and copies of one row, are units, unless the rows follow one
        another.
        """
        return self._about

    @cached_property
    def _about(self) -> About:
        if self.order == "time":
            return About(None, self.places, self.told, self.order)
        copies = copies_among(self.x, self.y)
        warnings = [
            f"{counted}; copies stay in one split, and estimates without a critic read one of each"
            for counted in copies.counted
        ]
        units, told = copies.joined(self.groups), [*self.told, *warnings]
        return About(units, self.places, told, copies=copies.numbers)

    @classmethod
    def read(
        cls,
        path: str,
        validation: float,
        test: float,
        transform: Transform,
        folds: int | None = None,
        x_columns: Sequence[str | int] | None = None,
        y_columns: Sequence[str | int] | None = None,
        y_path: str | None = None,
        text: CsvText = USUAL,
        order: Order = "none",
        groups: str | None = None,
        missing: Missing = "refuse",
        categories: Sequence[str] | None = None,
    ) -> "Arrays":
        """Read the arrays `x` and `y` of a .npz file or of two .npy files, or columns of a .csv,
        .parquet or .h5 file. Rows with equal values in `groups`, a column or an array of the .npz
        file, stay in one split; columns in `categories` are categories though they hold numbers.

        Raises FileNotFoundError if there is no such file, and ValueError if it cannot be read as
        numbers; pickles are never opened.
        """
        by_column = path.endswith((".csv", ".parquet", ".h5", ".hdf5"))
        if by_column != (x_columns is not None) or by_column != (y_columns is not None):
            raise SettingError(
                ("x_columns", "y_columns"),
                "must both be given for a .csv, .parquet or .h5 file, and only for these",
                f"{x_columns} and {y_columns} with {path}",
            )
        if path.endswith(".npy") != (y_path is not None):
            raise SettingError(
                "y_path",
                "must be given for a .npy file, which holds only x, and only for this",
                f"{y_path} with {path}",
            )
        if x_columns is not None and y_columns is not None:
            # pandas takes half a second to import, and other files do not need it.
            from infobound.datasets.files import columns

            named = {"x_columns": x_columns, "y_columns": y_columns}
            (x, y), labels = columns.read(path, named, groups, text)
        else:
            x, y, labels = numpy_files.read(path, y_path, groups)
        rows = sides.paired(x, y, labels, missing, categories)
        return cls(
            rows.x,
            rows.y,
            validation,
            test,
            transform,
            folds,
            groups=rows.groups,
            places=rows.places,
            told=rows.told,
            order=order,
        )

    @classmethod
    def drawn(
        cls,
        joint: Joint,
        rows: int,
        seed: int,
        validation: float,
        test: float,
        transform: Transform,
        folds: int | None,
    ) -> "Arrays":
        """Draw a table of `rows` pairs once from a distribution, and treat it as a file's table
        whose truth is known.

        Raises ValueError if `rows` is not positive or `seed` is negative.
        """
        for name, least in {"rows": 1, "seed": 0}.items():
            if (value := {"rows": rows, "seed": seed}[name]) < least:
                raise SettingError(name, f"must be at least {least}", value)
        x, y = joint.sample(rows, torch.Generator().manual_seed(seed))
        return cls(x, y, validation, test, transform, folds, joint.mutual_information)
