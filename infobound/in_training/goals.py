"""What a loss does with mutual information, and whether the estimator serves that."""

import warnings
from typing import Literal, get_args

import torch
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Estimator

Goal = Literal["minimise", "maximise"]
AGAINST = {
    ("lower bound", "minimise"): "a loss can lower it by hiding from the critic what z still tells"
    " of x; take an upper bound such as estimator='club', or give the critic more steps",
    ("upper bound", "maximise"): "a loss can raise it without z telling any more of x; take a lower"
    " bound such as estimator='infonce'",
    ("loss", "minimise"): "it can be driven down without end; take an estimator that gives nats",
}
"""What is wrong with an estimator of a kind for a goal."""


class Watch:
    """Warns once where an estimator does not serve a goal: one that is given, or else the one that
    the sign of the first gradient shows, by which a loss moves the estimate.

    Raises ValueError for another goal.
    """

    def __init__(self, estimator: Estimator, goal: Goal | None) -> None:
        if goal not in (None, *get_args(Goal)):
            raise SettingError("goal", f"must be one of {', '.join(get_args(Goal))}", goal)
        self._kind, self._name = estimator.kind, type(estimator).__name__
        self._waiting = goal is None and any(kind == self._kind for kind, _ in AGAINST)
        if goal is not None:
            self._judge(goal)

    def over(self, nats: Tensor) -> Tensor:
        """The same scalar, whose gradient is looked at when it arrives, but not while compiling."""
        if self._waiting and nats.requires_grad and not torch.compiler.is_compiling():
            nats.register_hook(self._look)
        return nats

    def _look(self, gradient: Tensor) -> None:
        try:
            sign = float(gradient)
        except RuntimeError:  # inside vmap no number can be read
            return
        if self._waiting and sign:
            self._waiting = False
            self._judge("minimise" if sign > 0 else "maximise")

    def _judge(self, goal: Goal) -> None:
        if why := AGAINST.get((self._kind, goal)):
            article = "an" if self._kind[0] == "u" else "a"
            warnings.warn(
                f"{self._name} is {article} {self._kind}, and this loss would {goal} it: {why}",
                stacklevel=4,
            )
