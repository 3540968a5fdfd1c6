"""Your own table of labelled rows with pivots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

import pandas as pd
import torch
from torch import Tensor

from infobound.datasets import units
from infobound.datasets.files import frames, sides
from infobound.datasets.files.csv_text import USUAL, CsvText
from infobound.datasets.labelled import stratified
from infobound.datasets.labelled.columns import Missing, Schema
from infobound.datasets.labelled.rows import LabelledRows, LabelledSplits, Pivot
from infobound.errors import SettingError, in_words


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one file, split with the same share of every label, and of every group of a pivot, in
    all parts, or rows of separate files for some parts. Rows of one group, and copies of one row,
    stay in one part of a file.

    A missing feature, NaN in `rows`, is set to the median of the training rows.
    """

    features: Sequence[str]
    classes: Sequence[str]
    pivots: Sequence[Pivot]
    told: Sequence[str]
    """Facts about the columns that a user should know."""
    rows: LabelledRows
    """All rows, one file after the other."""
    sizes: Sequence[int]
    """Numbers of rows of the file to split, of the validation file and of the test file; 0 if there
    is no such file.
    """
    shares: tuple[float, float]
    """Shares of the first file that are held out for validation and for the test."""
    groups: Tensor | None = None
    """(N,) the group of each row, as a number; None if every row is on its own."""

    @classmethod
    def read(
        cls,
        path: str,
        validation_path: str | None,
        test_path: str | None,
        validation: float,
        test: float,
        categorical: Sequence[str] | None,
        missing: Missing,
        text: CsvText = USUAL,
        groups: str | None = None,
        categories: Sequence[str] | None = None,
    ) -> "Table":
        """Read a CSV, Parquet or HDF5 file with the columns of Schema; parts with their own file
        are not held out from it. Rows with equal values in the column `groups`, which is no
        feature, stay in one part; columns in `categories` are categories though they hold numbers.

        Raises FileNotFoundError if there is no such file, and ValueError if it cannot be read, a
        column is wrong or a share leaves no training rows.
        """
        if missing not in get_args(Missing):
            raise SettingError("missing", f"must be one of {', '.join(get_args(Missing))}", missing)
        shares = 0.0 if validation_path else validation, 0.0 if test_path else test
        if not (min(validation, test) > 0 and sum(shares) < 1):
            raise SettingError(
                ("validation", "test"),
                "must be positive shares of the rows that leave some for training",
                f"{validation} and {test}",
            )
        schema = Schema(categorical, missing, groups, categories)
        paths = {"path": path, "validation_path": validation_path, "test_path": test_path}
        read = {
            key: frames.frame(key, each, text) for key, each in paths.items() if each is not None
        }
        wanted = schema.read(read["path"])
        for key, frame in read.items():
            if {*wanted} ^ {*schema.read(frame)}:
                raise SettingError(
                    key,
                    "must have the columns of path",
                    f"others: {in_words(sorted({*wanted} ^ {*schema.read(frame)}))}",
                )
        kept = {
            key: pd.DataFrame(frame[wanted]).reset_index(drop=True) for key, frame in read.items()
        }
        told, places = _counted(_together(kept), missing), None
        if missing == "drop" and told:
            kept = {key: frame.dropna() for key, frame in kept.items()}
            places = torch.cat([torch.tensor(frame.index) for frame in kept.values()])
        together = _together(kept)
        labels = None if groups is None else sides.numbered(together[groups].to_numpy(), missing)
        found = schema(together)
        return cls(
            found.features,
            found.classes,
            found.pivots,
            [*told, *found.told],
            replace(found.rows, places=places),
            [len(kept[key]) if key in kept else 0 for key in paths],
            shares,
            None if labels is None else torch.from_numpy(labels),
        )

    @property
    def warnings(self) -> Sequence[str]:
        """Facts that a user should know, such as the numbers of copies and of rows left out."""
        copies = [
            f"{counted}; copies stay in one part, and information is read from one of each"
            for counted in self._copies.counted
        ]
        return [*self.told, *copies, *self._across()]

    def whole(self) -> LabelledRows:
        """Every row of the first file."""
        return self._rows.take(torch.arange(self.sizes[0]))

    def split(self, generator: torch.Generator) -> LabelledSplits:
        """Split the table; the generator draws the parts of the first file.

        Raises ValueError if a part would have no row of a class with a weight above 0.
        """
        table, apart = self._rows, self._units
        first, *others = torch.arange(len(table)).split([*self.sizes])
        labels = table.labels[first]
        rows = [first[labels == label] for label in range(len(self.classes))]
        order = [each[torch.randperm(len(each), generator=generator)] for each in rows]
        drawn = stratified.parts(
            self._strata[first],
            torch.cat(order),
            self.shares,
            None if apart is None else apart[first],
        )
        parts = [
            torch.cat([own, other]) for own, other in zip(drawn, (first[:0], *others), strict=True)
        ]
        for name, part in zip(("training", "validation", "test"), parts, strict=True):
            self._every_class(name, part)
        median = table.x[parts[0]].nanmedian(0).values
        filled = replace(table, x=table.x.where(~table.x.isnan(), median))
        train, validation, test = (filled.take(part) for part in parts)
        places = parts[2] - (sum(self.sizes[:2]) if self.sizes[2] else 0)
        return LabelledSplits(
            train, validation, test, places if test.places is None else test.places
        )

    @cached_property
    def _copies(self) -> units.Copies:
        rows = self.rows
        return units.copies(
            rows.x.nan_to_num(), torch.cat([rows.labels[:, None], rows.pivots], 1).double()
        )

    @property
    def _units(self) -> Tensor | None:
        return self._copies.joined(self.groups)

    @property
    def _rows(self) -> LabelledRows:
        """All rows with their units."""
        return replace(self.rows, units=self._units)

    def _across(self) -> list[str]:
        """A warning of units in several files."""
        if self._units is None:
            return []
        first, *others = self._units.split([*self.sizes])
        known = sum(int(torch.isin(each, first).sum()) for each in others)
        if not known:
            return []
        return [
            f"{known} rows of the files for validation and test are copies, or of a group, of rows"
            " in dataset.path, so readings on them may be too good; give one file to split"
        ]

    @property
    def _counted(self) -> Tensor:
        """Whether each row (N,) has a weight above 0."""
        weights = self.rows.weights
        return torch.ones_like(self.rows.labels) > 0 if weights is None else weights > 0

    @property
    def _strata(self) -> Tensor:
        """The values (N, V) of which every part has its share: labels, with those of weight 0
        apart, and groups.
        """
        groups = [
            self.rows.pivots[:, index].long()
            for index, pivot in enumerate(self.pivots)
            if pivot.categories
        ]
        return torch.stack([2 * self.rows.labels + self._counted, *groups], dim=1)

    def _every_class(self, name: str, part: Tensor) -> None:
        """Raise ValueError if a class has no row that counts in a part."""
        known = {*self.rows.labels[part[self._counted[part]]].tolist()}
        if lacking := {*range(len(self.classes))} - known:
            apart = "" if self.rows.weights is None else " with a weight above 0"
            units = self._units
            whole = "" if units is None else f"; its {len(units.unique())} groups stay whole"
            raise ValueError(
                f"every class needs {name} rows{apart}, but none has the label"
                f" {self.classes[min(lacking)]}; collect more{whole}"
            )


def _together(frames_by_key: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.DataFrame(pd.concat(frames_by_key.values(), ignore_index=True))


def _counted(frame: pd.DataFrame, missing: Missing) -> list[str]:
    """One line about missing values and their treatment, if any are missing.

    Raises ValueError if they are to be refused.
    """
    absent = frame.isna().to_numpy()
    lacking = dict(zip(frame, absent.sum(axis=0).tolist(), strict=True))
    counts = ", ".join(f"{count} in {name}" for name, count in lacking.items() if count)
    if not counts:
        return []
    if missing == "refuse":
        raise SettingError(
            "missing",
            f"must be drop, zero or median if values are missing: there are {counts}",
        )
    done = {
        "drop": f"{absent.any(axis=1).sum()} of {len(frame)} rows are dropped",
        "zero": "features there are 0",
        "median": "features there are the medians of the training rows",
    }
    return [f"missing values: {counts}; {done[missing]}"]
