"""`python -m infobound.stubs` writes what editors and type checkers read of the folders: the names
that `infobound.parts` gives when the program runs.
"""

from infobound.parts import FOLDERS, PACKAGE, named


def stub(folder: str) -> str:
    """What stands in a folder's `__init__.pyi`. There is no `__init__.py` beside it: `datasets` at
    the top of a checkout would then hide Hugging Face's.
    """
    lines = [f"from {home} import {part} as {part}" for part, home in named(folder).items()]
    return "\n".join(["# Written by `python -m infobound.stubs`.", "", *sorted(lines), ""])


if __name__ == "__main__":
    for each in FOLDERS:
        stub_file = PACKAGE / each / "__init__.pyi"
        stub_file.write_text(stub(f"infobound.{each}"), encoding="utf-8")
