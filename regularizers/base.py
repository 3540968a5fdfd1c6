"""What is added to a model's loss: a penalty of what the model exposes. There are two kinds, those
with networks of their own to train and those without.
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
    """One batch's reading, three scalars, in nats where they are information."""

    fit: Float[Tensor, ""]
    """The penalty's own networks alone descend it."""
    penalty: Float[Tensor, ""]
    """The model descends it, `strength` times."""
    value: Float[Tensor, ""]
    """Detached: what is reported."""


class PureTerms(NamedTuple):
    """One batch's reading as the model's step needs it, two scalars."""

    penalty: Float[Tensor, ""]
    """The model descends it, `strength` times."""
    value: Float[Tensor, ""]
    """Detached: what is reported."""


class PurePenalty(nn.Module, ABC):
    """A function of the tensors named by `requires`, which the model exposes; it has nothing to
    learn. Subclasses are final.

    It is made of rows (N, D) of each, as they are before step 0. `strength`, `until`, `clip` and
    `warmup` are those of a Penalty.

    Raises ValueError for values out of range.
    """

    quantity: ClassVar[str] = "penalty"
    """What the value is called in the records."""
    of_pivots: ClassVar[bool] = False
    """Whether it reads logits and pivots alone, and so serves any training of a classifier."""

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
        """What the model descends of a batch, (B, D) of each name."""

    def terms(self, exposed: Exposed) -> PureTerms:
        """Read a batch, (B, D) of each name: its cost, and what is reported of it."""
        cost = self.cost(exposed)
        return PureTerms(cost, cost.detach())

    def forward(self, *tensors: Tensor) -> PureTerms:
        return self.terms(dict(zip(self.requires, tensors, strict=True)))


class Penalty(nn.Module, ABC):
    """A penalty of the tensors named by `requires`, which the model exposes, with networks of its
    own. Subclasses are final.

    It is made of rows (N, D) of each, as they are before step 0; who trains it calls it on batches
    of them in that order, so that torch.func can lift it. The model descends `strength` times the
    penalty, 0 being none at all; its own networks are moved by `optimizer`, `critic_steps` times
    for each step of the model. It is off after `until` steps or, below 1, that share of all. Where
    `clip`, the model's gradient of the penalty is brought down to no more than its gradient of the
    rest. The strength rises in a line over the first `warmup` steps that have a penalty.

    Raises ValueError for values out of range.
    """

    quantity: ClassVar[str] = "mi"
    """What the value is called in the records."""
    of_pivots: ClassVar[bool] = False
    """Whether it reads logits and pivots alone, and so serves any training of a classifier."""

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
        """Whether what happens before the last step depends on how many steps there are."""
        until = settings.get("until")
        return isinstance(until, float) and until < 1

    @abstractmethod
    def terms(self, exposed: Exposed) -> Terms:
        """Read a batch, (B, D) of each name, without a side effect."""

    def read(self, exposed: Exposed) -> PureTerms:
        """Its terms as the model's step needs them; a penalty whose fit is costly leaves it out."""
        terms = self.terms(exposed)
        return PureTerms(terms.penalty, terms.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        """What its own networks descend at their step. A penalty that keeps moving averages
        commits them here.
        """
        return self.terms(exposed).fit

    def forward(self, *tensors: Tensor) -> Terms:
        return self.terms(dict(zip(self.requires, tensors, strict=True)))


Regularizer = Callable[[Exposed], Penalty | PurePenalty]
"""Makes a penalty of rows (N, D) that a model exposes before step 0."""


def _check_course(until: float | None, warmup: int) -> None:
    if until is not None and not until > 0:
        raise SettingError(
            "until", "must be a number of steps, a share of them below 1, or null for all", until
        )
    if warmup < 0:
        raise SettingError("warmup", "must be a number of steps, 0 for none", warmup)
