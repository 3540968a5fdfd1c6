"""The command with which the user called this program."""

import shlex
import sys
from pathlib import Path


def program() -> str:
    """The command without arguments: `python run.py`, `python -m infobound` or `infobound`."""
    called = Path(sys.argv[0])
    if called.name == "run.py":
        return shlex.join(["python", sys.argv[0]])
    return "python -m infobound" if called.name == "__main__.py" else "infobound"
