"""Pairs in NumPy files: arrays x and y in one .npz file or in two .npy files."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
from numpy.lib.npyio import NpzFile

from infobound import regular
from infobound.errors import MissingFileError, SettingError, in_words


def read(
    path: str, y_path: str | None, groups: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read the arrays x, y and `groups` of the .npz file `path`, or x and y of the .npy files
    `path` and `y_path`.

    Raises FileNotFoundError if there is no such file, and ValueError if it cannot be read as
    arrays; pickles are never opened.
    """
    if y_path is not None:
        if groups is not None:
            raise SettingError("groups", "must be null for .npy files", groups, "use a .npz file")
        return _single("path", path), _single("y_path", y_path), None
    with _loaded(
        "path", path, "a .npz file with the arrays x and y", "numpy.savez(path, x=x, y=y)"
    ) as archive:
        if not isinstance(archive, NpzFile):
            raise ValueError("expected a .npz file with the arrays x and y, got a single array")
        if not {"x", "y"} <= set(archive.files):
            raise ValueError(
                "expected a .npz file with the arrays x and y, got"
                f" {in_words(archive.files) or 'none'}"
            )
        if groups is None or groups in archive.files:
            return archive["x"], archive["y"], None if groups is None else archive[groups]
        names = in_words(archive.files)
    raise SettingError("groups", f"must name an array of {path}", groups, f"it has {names}")


def _single(key: str, path: str) -> np.ndarray:
    with _loaded(key, path, "a .npy file with one array", "numpy.save(path, array)") as array:
        if isinstance(array, NpzFile):
            raise ValueError(
                f"expected a .npy file with one array, got an archive of {in_words(array.files)}"
            )
        return array


@contextmanager
def _loaded(key: str, path: str, wanted: str, remedy: str) -> Iterator[np.ndarray | NpzFile]:
    """Open the file that the setting `key` names, for the length of the block."""
    try:
        regular.check(path)
        content = np.load(path, allow_pickle=False)
        with content if isinstance(content, NpzFile) else nullcontext(content) as opened:
            yield opened
    except FileNotFoundError:
        raise MissingFileError(key, f"must name {wanted}, but {path} is not there") from None
    except regular.UNREADABLE as error:
        raise SettingError(
            key,
            f"{path} cannot be read: {_reason(error)}",
            remedy=f"write it by {remedy} from arrays of numbers",
        ) from error


def _reason(error: Exception) -> str:
    """Say what is wrong with a file; where NumPy's message is about its own arguments, in terms of
    the file.
    """
    if "pickle" not in str(error):
        return regular.reason(error)
    if "Object array" not in str(error):
        return "it is not a NumPy file; if it is a pickle, it could run code when it is opened"
    return (
        "it holds an object array (text, None, or rows of several lengths), which is stored as a"
        " pickle and could run code when it is opened"
    )
