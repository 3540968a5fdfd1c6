"""Sizes are asked before they are taken: an allocator that runs dry kills the process."""

import os

import torch

from infobound.errors import SettingError

FLOAT = 4
"""Bytes of a number."""
COPIES = 4
"""How often rows are in memory at least, while they are drawn and a critic reads them."""
GIB = 2**30


def must_fit(key: str, rows: int, numbers: int, device: torch.device) -> None:
    """Raise ValueError, in the name of the setting `key`, if working on `rows` rows of so many
    numbers takes more memory than the device has.
    """
    needed, there = COPIES * FLOAT * rows * numbers, total(device)
    if needed > there:
        raise SettingError(
            key,
            f"must fit in the {there / GIB:.0f} GiB of memory",
            f"{rows} rows of {numbers} numbers, which take {needed / GIB:.0f} GiB",
            "use fewer rows, or fewer dimensions",
        )


def total(device: torch.device) -> int:
    """Bytes of memory that the device has."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
