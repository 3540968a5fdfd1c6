"""Errors about settings and files, as values; the sentence is made where it is shown."""

from collections.abc import Iterable, Mapping, Sequence

NAMED = 12
"""Maximum number of names in a message."""


def in_words(names: Iterable[object]) -> str:
    """The first NAMED names, and how many more there are."""
    every = [*map(str, names)]
    more = len(every) - NAMED
    return ", ".join(every[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


class SettingError(ValueError):
    """A setting has a wrong value.

    A constructor names its own argument; the code that builds the object knows the dotted key.

        SettingError("embed", "must be a positive integer", 0)
        SettingError(("validation", "test"), "must be positive shares", f"{validation} and {test}")
    """

    def __init__(
        self, key: str | Sequence[str], requirement: str, got: object = ..., remedy: str = ""
    ) -> None:
        super().__init__(key, requirement, got, remedy)
        self.keys = (key,) if isinstance(key, str) else tuple(key)
        self.requirement, self.got, self.remedy = requirement, got, remedy
        self.part = ""
        """The dotted key of the innermost part that raised the error, if it has no such setting."""
        self.complete = False

    @property
    def key(self) -> str:
        """The setting, or the first of several that must fit together."""
        return self.keys[0]

    def completed(self, keys: Mapping[str, str]) -> bool:
        """Replace the setting's name by its dotted key, if the part's `keys` have it; return
        whether the dotted key is known.
        """
        if not self.complete and self.key in keys:
            self.keys = (keys[self.key], *self.keys[1:])
            self.part, self.complete = "", True
        return self.complete

    def __str__(self) -> str:
        shown = "" if self.got is ... else f", got {self.got}"
        remedy = f"; {self.remedy}" if self.remedy else ""
        sentence = f"{' and '.join(self.keys)} {self.requirement}{shown}{remedy}"
        return f"{self.part}: {sentence}" if self.part else sentence


class SelfPairError(SettingError):
    """A pair of a column with itself, whose information is infinite or the column's entropy."""


class MissingFileError(SettingError, FileNotFoundError):
    """A setting names a file that does not exist."""


class DataError(ValueError):
    """A file or its content cannot be used.

    DataError("data/mnist/train.gz", "must be an IDX file in gzip", "a text")
    """

    def __init__(self, path: object, requirement: str, got: object = ..., remedy: str = "") -> None:
        super().__init__(path, requirement, got, remedy)
        self.path, self.requirement, self.got, self.remedy = path, requirement, got, remedy

    def __str__(self) -> str:
        shown = "" if self.got is ... else f", got {self.got}"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.path} {self.requirement}{shown}{remedy}"


class IrregularFileError(DataError, OSError):
    """A path names a FIFO, a device, a folder or a link where a regular file belongs."""


class UntrustedEstimate(UserWarning):
    """An estimate should not be trusted; the message says why."""


class PartError(ValueError):
    """A part of a run could not be built or failed, with its own message.

    PartError("optimizer", "Invalid learning rate: -1")
    """

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(part, reason)
        self.part, self.reason = part, reason

    def __str__(self) -> str:
        return f"{self.part}: {self.reason}"
