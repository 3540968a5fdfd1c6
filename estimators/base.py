"""What an estimator is: it turns scores into nats.

B batch, N rows of a table, D_x and D_y features.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple, Protocol

from jaxtyping import Float
from torch import Tensor, nn

from infobound.models.critics.scores import Scores

Kind = Literal["lower bound", "upper bound", "neither", "loss"]
ScoreKind = Literal["any", "log density"]
"""What scores are: numbers of any scale, or log q(y_j | x_i) in nats."""


class Bound(NamedTuple):
    """One batch's reading, three scalars, and which way to go by each.

    `fit` is a loss of the critic, without a unit: descending it brings the critic nearer to its
    best. `objective` and `value` are nats and grow with dependence: whoever makes x or y descends
    -objective to raise mutual information and +objective to lower it. `fit` is -objective only
    where the critic climbs what is reported (`maximised`), as under Donsker-Varadhan; it is another
    function where it climbs something else (`surrogate`), as under SMILE.

        critic_loss = estimator.bound(critic(x.detach(), y.detach()), x, y).fit
        encoder_loss = task_loss + beta * estimator.bound(critic(x, y), x, y).objective

    Of an estimator that is a loss, objective and value are minus the loss in a unit of its own, not
    nats.
    """

    fit: Float[Tensor, ""]
    """The critic alone descends it."""
    objective: Float[Tensor, ""]
    """Nats, differentiable: who maximises mutual information descends -objective, who minimises it
    descends +objective.
    """
    value: Float[Tensor, ""]
    """Nats, detached: what is reported."""


def maximised(objective: Float[Tensor, ""]) -> Bound:
    """The reading of an estimator whose critic climbs the very bound that is reported."""
    return Bound(-objective, objective, objective.detach())


def surrogate(objective: Float[Tensor, ""], value: Float[Tensor, ""]) -> Bound:
    """The reading of an estimator whose critic climbs something else than what is reported."""
    return Bound(-objective, objective + (value - objective).detach(), value.detach())


class Estimator(nn.Module, ABC):
    """Turns scores into nats. Subclasses are final and are stateless or keep their state in
    buffers.

    One that has parameters of its own, or statistics of the data, makes them in `prepare`: see
    estimators.measurement.
    """

    kind: ClassVar[Kind]
    """Whether the value bounds the mutual information from below, from above, or not at all; a loss
    is no estimate of it.
    """
    scores: ClassVar[ScoreKind] = "any"
    """What the critic's scores must be; a critic that gives log densities says so in an attribute
    of this name.
    """
    log_of_mean: ClassVar[bool] = False
    """Whether the value takes the logarithm of a sample mean of exp T, which is not to be believed
    above the logarithm of the number of product pairs behind it (McAllester and Stratos 2020,
    https://arxiv.org/abs/1811.04251).
    """

    prepares_from: ClassVar[Literal["rows", "dimensions"]] = "rows"
    """What `prepare` takes in, where there is one: the numbers of the rows, or how many columns
    there are. A critic that has a `prepare` may say it too.
    """

    @abstractmethod
    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        """Read the scores of a batch, without a side effect."""

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"] | Float[Tensor, ""] | None:
        """What to take off a joint score, from what `bound` takes, to have log p(x, y) / p(x) p(y)
        in nats.

        It is what makes the critic's optimum under this estimator that ratio, or None where there
        is nothing that does.
        """
        return None

    def arranged(self, scores: Scores) -> Scores:
        """The scores of one batch with what `bound` reads together in one row, for estimators that
        read columns.
        """
        return scores

    def update(self, scores: Scores) -> None:
        """Commit moving averages; called on the critic's own training steps alone."""

    def cap(self, negatives: int) -> float | None:
        """The most nats that the value can reach with this many product samples a row, or None
        where there is no limit.
        """
        return None


class SampleEstimate(NamedTuple):
    """A value in nats with its standard error."""

    value: float
    stderr: float


class SampleEstimator(Protocol):
    """Estimates from the rows themselves: nothing to train."""

    kind: ClassVar[Kind]

    def __call__(
        self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"], /
    ) -> SampleEstimate: ...
