"""Check sizes before allocating memory, because a process without memory is killed."""

import os

import torch

from infobound.errors import SettingError

FLOAT = 4
"""Bytes of a float32 number."""
COPIES = 4
"""Minimum number of copies in memory: of rows while they are drawn and scored, of parameters with
their gradients and the two moments of Adam."""
GENERATOR = 1264
"""Numbers in the state of a random generator."""
GIB = 2**30


def must_fit(key: str, rows: int, numbers: int, device: torch.device) -> None:
    """Raise ValueError about the setting `key` if `rows` rows of `numbers` numbers need more memory
    than the device has.
    """
    asked, remedy = f"{rows} rows of {numbers} numbers", "use fewer rows, or fewer dimensions"
    _ask(key, asked, rows * numbers, device, remedy)


def copies_must_fit(replicates: int, numbers: int, device: torch.device) -> None:
    """Raise ValueError if `replicates` networks of `numbers` parameters, each with its random
    generator, need more memory than the device has.
    """
    asked = f"{replicates} copies of {numbers} parameters"
    needed = replicates * (numbers + GENERATOR)
    _ask("replicates", asked, needed, device, "use fewer replicates, or a smaller network")


def _ask(key: str, asked: str, numbers: int, device: torch.device, remedy: str) -> None:
    needed, there = COPIES * FLOAT * numbers, total(device)
    if needed > there:
        raise SettingError(
            key,
            f"must fit in the {there / GIB:.0f} GiB of memory",
            f"{asked}, which take {needed / GIB:.0f} GiB",
            remedy,
        )


def total(device: torch.device) -> int:
    """The device's memory in bytes."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
