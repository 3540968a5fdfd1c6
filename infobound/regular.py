"""Regular files: a FIFO or a device in their place could block or never end, and a link could lead
out of the folder.
"""

import errno
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from infobound.errors import IrregularFileError

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
}

UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    OverflowError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors that NumPy, pandas, h5py and the standard library raise for a damaged file or another
format.
"""


def reason(error: Exception) -> str:
    """One line about the file, from an error of its reader."""
    if isinstance(error, IrregularFileError):
        return f"it {error.requirement}, got {error.got}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return " ".join(str(error).split()) or type(error).__name__


def check(path: str | Path) -> None:
    """Raise IrregularFileError unless `path` names a regular file or leads to one, and
    FileNotFoundError if there is none.
    """
    _check(path, os.stat(path))


def opened(path: str | Path) -> BinaryIO:
    """Open a regular file for reading, or one to which a link leads.

    Raises IrregularFileError for anything else, and OSError if it cannot be opened.
    """
    check(path)  # because opening some devices has effects
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb")


def content(path: str | Path) -> bytes:
    """Read a regular file.

    Raises IrregularFileError for anything else, and OSError if it cannot be read.
    """
    with opened(path) as file:
        return file.read()


def size(file: BinaryIO) -> int:
    """The number of bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def writable(path: str | Path, flags: int) -> int:
    """A descriptor of a regular file, which is created if it does not exist; `flags` say whether
    it is for writing, and how.

    Raises IrregularFileError for anything else, such as a link, which is not followed.
    """
    flags |= os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            _check(path, os.lstat(path))
        raise
    try:
        _check(path, os.fstat(descriptor))
    except IrregularFileError:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: str | Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise IrregularFileError(path, "must be a regular file", kind)
