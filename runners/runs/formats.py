"""The file formats of figures."""

from collections.abc import Sequence

from infobound.errors import SettingError

FORMATS = ("png", "pdf", "svg")
USUAL = ("png",)


def check(chosen: Sequence[str]) -> None:
    """Raise SettingError unless figures can be written in these formats."""
    if not chosen or {*chosen} - {*FORMATS}:
        raise SettingError(
            "figure_formats", f"must be one or more of {', '.join(FORMATS)}", [*chosen]
        )
