"""`python -m infobound.stubs` writes stubs of the folders for editors and type checkers: the names
that `infobound.parts` gives at run time.
"""

from infobound.parts import FOLDERS, PACKAGE, named


def stub(folder: str) -> str:
    """The text of a folder's `__init__.pyi`. There is no `__init__.py`, because `datasets` at the
    top of a checkout would then hide Hugging Face's package.
    """
    lines = [f"from {home} import {part} as {part}" for part, home in named(folder).items()]
    return "\n".join(["# Written by `python -m infobound.stubs`.", "", *sorted(lines), ""])


if __name__ == "__main__":
    for each in FOLDERS:
        stub_file = PACKAGE / each / "__init__.pyi"
        stub_file.write_text(stub(f"infobound.{each}"), encoding="utf-8")
