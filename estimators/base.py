"""The interface of estimators: an estimator turns scores into nats.

B batch, N rows of a table, D_x and D_y features.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from infobound.models.critics.scores import Scores

Kind = Literal["lower bound", "upper bound", "neither", "loss"]
ScoreKind = Literal["any", "log density"]
"""The meaning of scores: numbers of any scale, or log q(y_j | x_i) in nats."""


class Bound(NamedTuple):
    """The reading of one batch: three scalars, each with its own sign.

    `fit` is the critic's loss, without a unit: minimising it brings the critic closer to its
    optimum. `objective` and `value` are in nats and grow with dependence: a network that produces x
    or y minimises -objective to raise mutual information and +objective to lower it. `fit` equals
    -objective only if the critic maximises the reported bound (`maximised`), as with
    Donsker-Varadhan; otherwise it is a different function (`surrogate`), as with SMILE.

        critic_loss = estimator.bound(critic(x.detach(), y.detach()), x, y).fit
        encoder_loss = task_loss + beta * estimator.bound(critic(x, y), x, y).objective

    If the estimator is a loss, objective and value are minus that loss, in its own unit instead of
    nats.
    """

    fit: Float[Tensor, ""]
    """The critic's loss; nothing else minimises it."""
    objective: Float[Tensor, ""]
    """Nats, differentiable: minimise -objective to maximise mutual information, and +objective to
    minimise it.
    """
    value: Float[Tensor, ""]
    """Nats, detached: the reported value."""


def maximised(objective: Float[Tensor, ""]) -> Bound:
    """The reading of an estimator whose critic maximises the reported bound itself."""
    return Bound(-objective, objective, objective.detach())


def surrogate(objective: Float[Tensor, ""], value: Float[Tensor, ""]) -> Bound:
    """The reading of an estimator whose critic maximises another function than the reported one."""
    return Bound(-objective, objective + (value - objective).detach(), value.detach())


class Estimator(nn.Module, ABC):
    """Turns scores into nats. Subclasses are final and are stateless or keep their state in
    buffers.

    An estimator with its own parameters, or with statistics of the data, creates them in `prepare`:
    see estimators.measurement.
    """

    kind: ClassVar[Kind]
    """Whether the value bounds mutual information from below, from above, or not at all; a loss
    does not estimate it.
    """
    scores: ClassVar[ScoreKind] = "any"
    """The scores that the critic must give; a critic that gives log densities declares it in an
    attribute of the same name.
    """
    uninformed: ClassVar[float] = 0.0
    """The score of every pair by the best critic that knows nothing about them."""
    log_of_mean: ClassVar[bool] = False
    """Whether the value contains the logarithm of a sample mean of exp T. Such a value is not
    reliable above the logarithm of the number of product pairs that it is computed from (McAllester
    and Stratos 2020, https://arxiv.org/abs/1811.04251).
    """

    prepares_from: ClassVar[Literal["rows", "dimensions"]] = "rows"
    """The input that a `prepare` uses: the values in the rows, or only the number of columns. A
    critic with a `prepare` may declare it too.
    """

    @abstractmethod
    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        """Read the scores of a batch, without side effects."""

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"] | Float[Tensor, ""] | None:
        """The term that, subtracted from a joint score, leaves log p(x, y) / p(x) p(y) in nats.

        It takes the arguments of `bound`. The difference is exact at the critic's optimum under
        this estimator. None if there is no such term.
        """
        return None

    def arranged(self, scores: Scores) -> Scores:
        """The scores of one batch, rearranged so that each row holds what `bound` reads together;
        for estimators that read columns.
        """
        return scores

    def update(self, scores: Scores) -> None:
        """Update moving averages; called only in the critic's own training steps."""

    def cap(self, negatives: int) -> float | None:
        """The largest value, in nats, with this many product samples a row, or None if there is no
        limit.
        """
        return None


class SampleEstimate(NamedTuple):
    """A value in nats with its standard error."""

    value: float
    stderr: float


class SampleEstimator(Protocol):
    """Estimates mutual information from the rows themselves, without a critic."""

    kind: ClassVar[Kind]

    def __call__(
        self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"], /
    ) -> SampleEstimate: ...


@runtime_checkable
class Particular(Protocol):
    """An estimator of rows that not all rows suit."""

    def doubts(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"], /) -> Sequence[str]:
        """Warnings about rows for which the estimate may be wrong."""
        ...
