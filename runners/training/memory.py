"""Check sizes before allocating memory, because a process without memory is killed."""

import os

import torch

from infobound.errors import SettingError

FLOAT = 4
"""Bytes of a float32 number."""
COPIES = 4
"""Minimum number of copies of rows in memory while they are drawn and scored."""
GIB = 2**30


def must_fit(key: str, rows: int, numbers: int, device: torch.device) -> None:
    """Raise ValueError about the setting `key` if `rows` rows of `numbers` numbers need more memory
    than the device has.
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
    """The device's memory in bytes."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
