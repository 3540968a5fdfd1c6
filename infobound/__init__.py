"""Mutual information: estimate it from samples, and train models that maximise or minimise it."""

import pkgutil
from typing import TYPE_CHECKING

from infobound import parts

if TYPE_CHECKING:
    from infobound import datasets as datasets
    from infobound import estimators as estimators
    from infobound import models as models
    from infobound import penalties as penalties
    from infobound import regularizers as regularizers
    from infobound import runners as runners
    from infobound.errors import UntrustedEstimate as UntrustedEstimate
    from infobound.estimation import estimate as estimate
    from infobound.in_training.clipping import clipped as clipped
    from infobound.in_training.mutual_information import MutualInformation as MutualInformation
    from infobound.result import Estimate as Estimate

__all__ = [
    "Estimate",
    "MutualInformation",
    "UntrustedEstimate",
    "clipped",
    "datasets",
    "estimate",
    "estimators",
    "models",
    "penalties",
    "regularizers",
    "runners",
]

HOMES = {
    "Estimate": "infobound.result:Estimate",
    "MutualInformation": "infobound.in_training.mutual_information:MutualInformation",
    "UntrustedEstimate": "infobound.errors:UntrustedEstimate",
    "clipped": "infobound.in_training.clipping:clipped",
    "estimate": "infobound.estimation:estimate",
    "penalties": "infobound.penalties",
}
"""Modules of the public names, which are imported on first use because PyTorch takes seconds."""

for folder in parts.FOLDERS:
    parts.opened(f"infobound.{folder}")


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module infobound has no attribute {name}")
    return pkgutil.resolve_name(HOMES[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
