"""Names of run directories."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from infobound.runners.runs.errors import ConfigError

LONGEST = 120
NAME = re.compile(r"[\w.,=+@-]+(/[\w.,=+@-]+)*")


def run_name(name: str | int | None, runner: str) -> str:
    """The given name, or the runner and the time to the millisecond.

    Raises ConfigError unless the name is a folder below outputs.
    """
    if name is None:
        return f"{runner}-{datetime.now():%Y%m%d-%H%M%S-%f}"[:-3]
    if not NAME.fullmatch(str(name)) or {".", ".."} & set(str(name).split("/")):
        raise ConfigError(
            "name must be a folder below outputs (letters, digits and any of . , = + @ - _ /), got"
            f" {name}"
        )
    return str(name)


def job_name(overrides: Sequence[str]) -> str:
    """A sweep job's folder: its sorted overrides, shortened with a hash above 120 characters.

    name, force and the settings of the sweep as a whole are left out.
    """
    given = [(each, each.partition("=")[0].lstrip("+")) for each in overrides]
    kept = sorted(
        each for each, key in given if key not in ("name", "force") and not key.startswith("sweep.")
    )
    name = ",".join(kept).replace("/", "_")
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: LONGEST - 13]}-{digest}"
