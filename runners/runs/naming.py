"""Names of run directories."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from infobound.runners.runs.errors import ConfigError

LONGEST = 120
"""Bytes of a name."""
FILE_SYSTEM = 255
NAME = re.compile(r"[\w.,=+@-]+(/[\w.,=+@-]+)*")


def check_utf8(*texts: str) -> None:
    """Raise ConfigError unless all texts, such as paths, can be written in UTF-8."""
    for text in texts:
        if text.encode(errors="ignore").decode() != text:
            raise ConfigError(f"arguments and folders must be UTF-8, got {text!a}")


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
    if max(map(len, str(name).encode().split(b"/"))) > FILE_SYSTEM:
        raise ConfigError(f"name must have at most {FILE_SYSTEM} bytes a folder, got {name}")
    return str(name)


def job_name(overrides: Sequence[str]) -> str:
    """A sweep job's folder: its sorted overrides, shortened with a hash above 120 bytes.

    name, force and the settings of the sweep as a whole are left out.
    """
    given = [(each, each.partition("=")[0].lstrip("+")) for each in overrides]
    kept = sorted(
        each for each, key in given if key not in ("name", "force") and not key.startswith("sweep.")
    )
    name = ",".join(kept).replace("/", "_")
    return shortened(name)


def shortened(name: str) -> str:
    """The name of a file or a folder, cut and with a hash above 120 bytes; file systems have room
    for 255.
    """
    written = name.encode("utf-8", "surrogateescape")
    if len(written) <= LONGEST:
        return name
    digest = hashlib.sha256(written).hexdigest()[:12]
    return f"{written[: LONGEST - 13].decode(errors='ignore')}-{digest}"
