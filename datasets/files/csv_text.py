"""The format of numbers and text in a CSV file, and where it may lie."""

import codecs
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from infobound.errors import SettingError
from infobound.reserved import Reserved

Decimal = Literal["point", "comma"]
Separator = Literal["comma", "semicolon", "tab"]
SIGNS = {"point": ".", "comma": ",", "semicolon": ";", "tab": "\t"}


@dataclass(frozen=True)
class CsvText:
    """The decimal sign, the separator and the encoding of a CSV file; None means a point, a comma
    and UTF-8. With `remote`, the file of a table may also be at an address, such as https://...

    Raises ValueError for an unknown name of a sign or an encoding.
    """

    flat: ClassVar[bool] = True
    """The fields are keys of the data set's own node."""
    decimal: Decimal | None = None
    separator: Separator | None = None
    encoding: str | None = None
    remote: Reserved[bool] = False

    def __post_init__(self) -> None:
        for name, kind in {"decimal": Decimal, "separator": Separator}.items():
            if (given := getattr(self, name)) not in (None, *get_args(kind)):
                raise SettingError(name, f"must be one of {', '.join(get_args(kind))}", given)
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise SettingError(
                "encoding", "must be one that Python knows, such as utf-8 or latin-1", self.encoding
            ) from None

    @property
    def signs(self) -> tuple[str, str]:
        """The decimal sign and the separator as characters."""
        return SIGNS[self.decimal or "point"], SIGNS[self.separator or "comma"]


USUAL = CsvText()
"""Decimal points, commas between columns, and UTF-8."""
