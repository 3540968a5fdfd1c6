"""Mutual information: estimate it from samples, and train models that maximise or minimise it."""

import importlib
from typing import TYPE_CHECKING, Any

from infobound import parts

if TYPE_CHECKING:
    from infobound import datasets as datasets
    from infobound import estimators as estimators
    from infobound import models as models
    from infobound import regularizers as regularizers
    from infobound import runners as runners
    from infobound.errors import UntrustedEstimate as UntrustedEstimate
    from infobound.estimation import estimate as estimate
    from infobound.result import Estimate as Estimate

__all__ = [
    "Estimate",
    "UntrustedEstimate",
    "datasets",
    "estimate",
    "estimators",
    "models",
    "regularizers",
    "runners",
]

HOMES = {
    "Estimate": "infobound.result",
    "UntrustedEstimate": "infobound.errors",
    "estimate": "infobound.estimation",
}
"""Where the public names are, which are imported when they are asked for: PyTorch takes seconds."""

for folder in parts.FOLDERS:
    parts.opened(f"infobound.{folder}")


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module infobound has no attribute {name}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
