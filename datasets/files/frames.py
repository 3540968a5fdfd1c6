"""Tables read from CSV, Parquet and HDF5 files, without running any code that they contain."""

import re
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from infobound import regular
from infobound.datasets.files.csv_text import CsvText
from infobound.errors import DataError, MissingFileError, SettingError, in_words

if TYPE_CHECKING:
    import h5py

T = TypeVar("T")
NUMBERED = re.compile(r"\.\d+$")
"""The end of a name that pandas makes of one that is there twice."""
KEY = "df"
"""Name of the table in an HDF5 file."""
REWRITE = f"write it by frame.to_hdf(path, key={KEY!r}) with columns of numbers only, or as Parquet"


def frame(key: str, path: str, text: CsvText) -> pd.DataFrame:
    """Read the table in the file that the setting `key` names; `text` is for CSV files, and says
    whether it may be at an address.

    Raises FileNotFoundError if there is no such file, and ValueError if it cannot be read.
    """
    if (reader := READERS.get(Path(path).suffix)) is None:
        raise SettingError(key, f"must end in {', '.join(READERS)}", path)
    if "://" in path and not text.remote:
        raise SettingError(
            key, "must name a file", path, "dataset.remote=true on the command line reads addresses"
        )
    try:
        if "://" not in path:
            regular.check(path)
        return reader(path, text)
    except FileNotFoundError:
        raise MissingFileError(
            key, f"must name a CSV, Parquet or HDF5 file, but {path} is not there"
        ) from None
    except regular.UNREADABLE as error:  # includes the errors of pandas, pyarrow and h5py
        remedy = "name its encoding by dataset.encoding" if isinstance(error, UnicodeError) else ""
        requirement = f"{path} cannot be read: {regular.reason(error)}"
        raise SettingError(key, requirement, remedy=remedy) from error


def _hdf5(path: str, text: CsvText) -> pd.DataFrame:
    """Read the table that pandas wrote as `df` with h5py, because pandas would unpickle its text,
    which could run code.
    """
    try:
        import h5py  # in the extra hdf5
    except ImportError:
        raise ValueError("reading HDF5 needs h5py; pip install h5py") from None
    with h5py.File(path) as file:
        if KEY not in file:
            raise ValueError(
                f"it must hold a table {KEY}, got {in_words(file) or 'nothing'}; {REWRITE}"
            )
        group = _inside(file, KEY, h5py.Group)
        if "table" in group:
            return _records(_inside(group, "table", h5py.Dataset)[:])
        return _blocks(group)


def _inside(group: "h5py.Group", name: str, kind: type[T]) -> T:
    """A member of a group that lies in the same file, because links and external storage read
    others.
    """
    import h5py

    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(
            f"{name} must lie in it, got {type(link).__name__ if link else 'nothing'}; {REWRITE}"
        )
    if not isinstance(found := group[name], kind):
        raise ValueError(f"{name} must be a {kind.__name__}, got {found!r}; {REWRITE}")
    if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
        raise ValueError(f"{name} must lie in it, got data in other files; {REWRITE}")
    return found


def _blocks(group: "h5py.Group") -> pd.DataFrame:
    """Read pandas' format "fixed": blocks of values (N, columns) of one type, with column names."""
    import h5py

    names = [
        name.removesuffix("_items")
        for name in map(str, group)
        if name.endswith("_items") and name.startswith("block")
    ]
    if not names:
        raise ValueError(
            f"{KEY} must be a table that pandas wrote, got {in_words(group)}; {REWRITE}"
        )
    columns = dict[str, np.ndarray]()
    arrays = partial(_inside, group, kind=h5py.Dataset)
    for name in names:
        items = [
            item.decode() if isinstance(item, bytes) else str(item)
            for item in arrays(f"{name}_items")
        ]
        values = arrays(f"{name}_values")
        if values.dtype.kind not in "biuf":
            raise DataError(
                f"column {in_words(items)}",
                "holds text, which is stored as a pickle and could run code",
                remedy=REWRITE,
            )
        columns |= dict(zip(items, values[:].T, strict=True))
    ordered = [item.decode() if isinstance(item, bytes) else str(item) for item in arrays("axis0")]
    return pd.DataFrame({name: columns[name] for name in ordered})


def _records(table: np.ndarray) -> pd.DataFrame:
    """Read pandas' format "table" with a field for every column, written with data_columns=True."""
    fields = [name for name in table.dtype.names or () if name != "index"]
    if blocked := [name for name in fields if name.startswith("values_block_")]:
        raise ValueError(
            f"its columns must be fields of their own, got {in_words(blocked)}; {REWRITE}"
        )
    made = pd.DataFrame({name: table[name] for name in fields})
    texts = made.select_dtypes(object)
    return made.assign(**{name: texts[name].str.decode("utf-8") for name in texts})


def _csv(path: str, text: CsvText) -> pd.DataFrame:
    decimal, separator = text.signs
    read = partial(
        pd.read_csv,
        path,
        decimal=decimal,
        sep=separator,
        encoding=text.encoding,
        index_col=False,  # otherwise the first column is lost if rows end in a separator
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            made = read()
        except pd.errors.ParserWarning:
            raise ValueError(
                "its rows have more fields than its first line has names; name every column"
            ) from None
    renamed = [name for name in made if NUMBERED.sub("", name) in made and NUMBERED.search(name)]
    if renamed:  # pandas numbers equal names
        names = read(header=None, nrows=1, dtype=str).iloc[0].astype(str)
        if repeated := sorted({*names[names.duplicated()]}):
            raise ValueError(f"each column must have its own name, got {in_words(repeated)} twice")
    return made


def _parquet(path: str, text: CsvText) -> pd.DataFrame:
    return pd.read_parquet(path)


READERS = {".csv": _csv, ".parquet": _parquet, ".h5": _hdf5, ".hdf5": _hdf5}
"""Readers by file name extension."""
