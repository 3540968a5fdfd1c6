"""A critic with its estimator: what one copy trains and what an evaluation reads."""

import copy
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores, scaled

Critics = Callable[[int, int], nn.Module]
"""Creates a critic for the dimensions of x and y."""


@runtime_checkable
class Prepared(Protocol):
    """A critic or an estimator that sees training rows before step 0. All its parameters and
    buffers exist after `prepare`.
    """

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"], /) -> None:
        """See the training rows, once. Weights are drawn from the global generator, as in any
        network.
        """


class Measurement(nn.Module):
    """Turns a batch of pairs into a Bound; in training mode it updates the estimator's moving
    averages.

    `scale`, 1 in training, is a factor of the scores that an evaluation may choose.

    Raises ValueError if the critic does not give the scores that the estimator needs.
    """

    scale: Float[Tensor, ""]

    def __init__(self, critic: nn.Module, estimator: Estimator) -> None:
        super().__init__()
        if estimator.scores not in ("any", getattr(critic, "scores", "any")):
            raise SettingError(
                "critic",
                f"must give log q(y | x) for {type(estimator).__name__}, which"
                f" {type(critic).__name__} does not",
                remedy="use critic=conditional_gaussian",
            )
        self.critic = critic
        self.estimator = estimator
        self.register_buffer("scale", torch.ones(()))

    @classmethod
    def of(
        cls,
        critic: Critics,
        estimator: Estimator,
        x: Float[Tensor, "N D_x"],
        y: Float[Tensor, "N D_y"],
    ) -> "Measurement":
        """A new critic and a copy of the estimator, prepared with the rows and on their device,
        ready to train.
        """
        made = cls(critic(x.shape[-1], y.shape[-1]), copy.deepcopy(estimator)).to(x.device)
        made.prepare(x, y)
        return made

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Show training rows to the critic and the estimator, if they have a `prepare`."""
        for part in (self.critic, self.estimator):
            if isinstance(part, Prepared):
                part.prepare(x, y)

    def scores(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        """The critic's scores as the estimator reads them, in float32 whatever precision the critic
        computes in, and scaled by `scale`.
        """
        scores = Scores(*(values.float() for values in self.critic(x, y)))
        return self.estimator.arranged(scaled(scores, self.scale, self.estimator.uninformed))

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        scores = self.scores(x, y)
        bound = self.estimator.bound(scores, x, y)
        if self.training:
            self.estimator.update(scores)
        return bound
