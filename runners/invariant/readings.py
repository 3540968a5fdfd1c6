"""Measures that some rows cannot give, such as a comparison of groups where there is only one."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias


class Unread(ValueError):
    """Rows cannot give a measure; the message says why."""


class Value(NamedTuple):
    """A measure with its standard error over rows, None if it is not estimated."""

    value: float
    stderr: float | None = None


class Measured(NamedTuple):
    """Values by their names in the metrics, and the reasons for those that are missing."""

    values: Mapping[str, float]
    errors: Mapping[str, float]
    """Standard errors over rows, for some values."""
    unread: Mapping[str, str]
    """The reason, by name."""

    def __or__(self, other: "Measured") -> "Measured":
        return Measured(
            {**self.values, **other.values},
            {**self.errors, **other.errors},
            {**self.unread, **other.unread},
        )


Reading: TypeAlias = Callable[[], Mapping[str, Value]]


def measured(names: tuple[str, ...], reading: Reading) -> Measured:
    """The values of a reading with these names, or the reason why rows cannot give them."""
    try:
        found = reading()
    except Unread as reason:
        return Measured({}, {}, dict.fromkeys(names, str(reason)))
    errors = {name: each.stderr for name, each in found.items() if each.stderr is not None}
    return Measured({name: each.value for name, each in found.items()}, errors, {})
