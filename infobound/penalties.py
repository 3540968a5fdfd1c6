"""Penalties on the dependence of a classifier's logits on pivots, by the name of the regularizer in
conf/: `ib.penalties.kl_update(logits=1, pivots=train_pivots)` is a PivotPenalty.
"""

from collections.abc import Callable
from functools import partial

from infobound.conf import by_name
from infobound.conf.choices import nearest
from infobound.in_training.pivot_penalty import PivotPenalty


def names() -> list[str]:
    """The regularizers of conf/ that need only logits and pivots."""
    return [
        name
        for name, target in by_name.targets("regularizer").items()
        if getattr(target, "of_pivots", False)
    ]


def __getattr__(name: str) -> Callable[..., PivotPenalty]:
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in names():
        raise AttributeError(f"there is no penalty {name}{nearest(name, names())}")
    return partial(PivotPenalty, name)


def __dir__() -> list[str]:
    return names()
