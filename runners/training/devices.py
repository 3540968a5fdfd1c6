"""The device of a run."""

import torch

from infobound.errors import SettingError


def device_named(name: str) -> torch.device:
    """The device named cpu, cuda, cuda:N or auto (a GPU if there is one).

    Raises ValueError if this machine does not have it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if (
        kind not in ("cpu", "cuda")
        or (index and not index.isdecimal())
        or (kind == "cpu" and index)
    ):
        raise SettingError("device", "must be cpu, cuda, cuda:N or auto", name)
    count = torch.cuda.device_count()
    if kind == "cuda" and int(index or 0) >= count:
        raise SettingError(
            "device",
            "must be a device of this machine",
            f"{name} with {count} GPUs here",
            "use device=cpu or auto",
        )
    return torch.device(name)
