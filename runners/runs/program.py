"""How the user called this program."""

import shlex
import sys
from pathlib import Path


def program() -> str:
    """What to type before the arguments: `python run.py`, `python -m infobound` or `infobound`."""
    called = Path(sys.argv[0])
    if called.name == "run.py":
        return shlex.join(["python", sys.argv[0]])
    return "python -m infobound" if called.name == "__main__.py" else "infobound"
