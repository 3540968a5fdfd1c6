"""The interface of penalties: terms in a model's loss, computed from tensors that the model
exposes. Some penalties have their own networks to train, others have none.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.regularizers.exposed import Exposed


class Terms(NamedTuple):
    """The reading of one batch: three scalars, in nats if they are information."""

    fit: Float[Tensor, ""]
    """The loss of the penalty's own networks; nothing else minimises it."""
    penalty: Float[Tensor, ""]
    """The model descends it, `strength` times."""
    value: Float[Tensor, ""]
    """Detached: what is reported."""


class PureTerms(NamedTuple):
    """The part of a batch's reading that the model's step needs: two scalars."""

    penalty: Float[Tensor, ""]
    """The model descends it, `strength` times."""
    value: Float[Tensor, ""]
    """Detached: what is reported."""


class PurePenalty(nn.Module, ABC):
    """A function of the tensors named by `requires`, which the model exposes, without networks.
    Subclasses are final.

    It is created from rows (N, D) of each tensor before step 0. `strength`, `until`, `clip` and
    `warmup` are those of a Penalty.

    Raises ValueError for values out of range.
    """

    quantity: ClassVar[str] = "penalty"
    """The name of the value in the records."""
    of_pivots: ClassVar[bool] = False
    """Whether it reads only logits and pivots, so that any training of a classifier can use it."""

    def __init__(
        self,
        requires: tuple[str, ...],
        strength: float,
        warmup: int = 0,
        *,
        until: float | None = None,
        clip: bool = False,
    ) -> None:
        super().__init__()
        _check_course(until, warmup)
        self.requires, self.strength = requires, strength
        self.warmup, self.until, self.clip = warmup, until, clip

    @abstractmethod
    def cost(self, exposed: Exposed) -> Float[Tensor, ""]:
        """The cost that the model minimises, for a batch (B, D) of each name."""

    def terms(self, exposed: Exposed) -> PureTerms:
        """Read a batch, (B, D) of each name: its cost, and the reported value."""
        cost = self.cost(exposed)
        return PureTerms(cost, cost.detach())

    def forward(self, *tensors: Tensor) -> PureTerms:
        return self.terms(dict(zip(self.requires, tensors, strict=True)))


class Penalty(nn.Module, ABC):
    """A penalty on the tensors named by `requires`, which the model exposes, with its own networks.
    Subclasses are final.

    It is created from rows (N, D) of each tensor before step 0, and called on batches of them in
    that order, so that torch.func can lift it. The model minimises `strength` times the penalty; 0
    means no penalty. `optimizer` trains the penalty's own networks, `critic_steps` times for each
    step of the model. The penalty ends after `until` steps, or after that share of all steps if
    `until` is below 1. With `clip`, the penalty's gradient in the model is never larger than that
    of the rest of the loss. The strength rises linearly over the first `warmup` steps that have a
    penalty.

    Raises ValueError for values out of range.
    """

    quantity: ClassVar[str] = "mi"
    """The name of the value in the records."""
    of_pivots: ClassVar[bool] = False
    """Whether it reads only logits and pivots, so that any training of a classifier can use it."""

    def __init__(
        self,
        requires: tuple[str, ...],
        strength: float,
        optimizer: Callable[[list[Tensor]], Optimizer],
        critic_steps: int,
        *,
        until: float | None = None,
        clip: bool = False,
        warmup: int = 0,
    ) -> None:
        super().__init__()
        if critic_steps < 1:
            raise SettingError("critic_steps", "must be a positive integer", critic_steps)
        _check_course(until, warmup)
        self.requires, self.strength, self.optimizer = requires, strength, optimizer
        self.critic_steps, self.until, self.clip = critic_steps, until, clip
        self.warmup = warmup

    @staticmethod
    def counts_steps(settings: Mapping[str, object]) -> bool:
        """Whether the course of training before the last step depends on the number of steps."""
        until = settings.get("until")
        return isinstance(until, float) and until < 1

    @abstractmethod
    def terms(self, exposed: Exposed) -> Terms:
        """Read a batch, (B, D) of each name, without side effects."""

    def read(self, exposed: Exposed) -> PureTerms:
        """The terms that the model's step needs; a penalty with a costly fit omits it."""
        terms = self.terms(exposed)
        return PureTerms(terms.penalty, terms.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        """The loss of the penalty's own networks at their step. A penalty with moving averages
        updates them here.
        """
        return self.terms(exposed).fit

    def forward(self, *tensors: Tensor) -> Terms:
        return self.terms(dict(zip(self.requires, tensors, strict=True)))


Regularizer = Callable[[Exposed], Penalty | PurePenalty]
"""Creates a penalty from rows (N, D) that a model exposes before step 0."""


def _check_course(until: float | None, warmup: int) -> None:
    if until is not None and not until > 0:
        raise SettingError(
            "until", "must be a number of steps, a share of them below 1, or null for all", until
        )
    if warmup < 0:
        raise SettingError("warmup", "must be a number of steps, 0 or more", warmup)
