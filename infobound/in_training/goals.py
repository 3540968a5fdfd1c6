"""Whether a loss maximises or minimises mutual information, and whether the estimator fits."""

import warnings
from typing import Literal, get_args

import torch
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators.base import Estimator

Goal = Literal["minimise", "maximise"]
AGAINST = {
    ("lower bound", "minimise"): "z can lower it by fooling the critic, without losing information"
    " about x; use an upper bound such as estimator='club', or give the critic more steps",
    ("upper bound", "maximise"): "z can raise it without gaining information about x; use a lower"
    " bound such as estimator='infonce'",
    ("loss", "minimise"): "it has no lower limit; use an estimator that gives nats",
}
"""Why an estimator of a kind does not fit a goal."""


class Watch:
    """Warns once if an estimator does not fit the goal: the given goal, or the one that the sign of
    the first gradient shows.

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
        """Return the same scalar and watch its gradient, except while compiling."""
        if self._waiting and nats.requires_grad and not torch.compiler.is_compiling():
            nats.register_hook(self._look)
        return nats

    def _look(self, gradient: Tensor) -> None:
        try:
            sign = float(gradient)
        except RuntimeError:  # values cannot be read inside vmap
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
