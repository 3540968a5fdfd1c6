"""What is added to a model's loss: a penalty of what the model exposes, which may have a critic of
its own to train.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.measurement import Measurement


def required(rows: Mapping[str, Tensor], names: tuple[str, ...]) -> list[Tensor]:
    """The rows of these names.

    Raises ValueError where the model does not expose them.
    """
    if lacking := [name for name in names if name not in rows]:
        raise ValueError(
            f"this model exposes {', '.join(rows)} and not {', '.join(lacking)}, of which this"
            " penalty is; use regularizer=none"
        )
    return [rows[name] for name in names]


class Terms(NamedTuple):
    """One batch's reading, three scalars, in nats where they are information."""

    fit: Tensor
    """() the penalty's own networks alone descend it."""
    penalty: Tensor
    """() the model descends it, `strength` times."""
    value: Tensor
    """() detached: what is reported."""


class Penalty(nn.Module, ABC):
    """A penalty of the tensors named by `requires`, which the model exposes. Subclasses are final.

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
    measurement: Measurement | None
    """The critic that reads the two tensors named by `requires`, where there is one."""
    learning: bool = True
    """Whether its own networks are at their step: only then are moving averages committed."""

    def __init__(
        self,
        requires: tuple[str, ...],
        strength: float,
        optimizer: Callable[[list[Tensor]], Optimizer],
        critic_steps: int,
        until: float | None,
        clip: bool,
        warmup: int = 0,
    ) -> None:
        super().__init__()
        if critic_steps < 1:
            raise SettingError("critic_steps", "must be a positive integer", critic_steps)
        if until is not None and not until > 0:
            raise SettingError(
                "until",
                "must be a number of steps, a share of them below 1, or null for all",
                until,
            )
        if warmup < 0:
            raise SettingError("warmup", "must be a number of steps, 0 for none", warmup)
        self.measurement, self.warmup = None, warmup
        self.requires, self.strength, self.optimizer = requires, strength, optimizer
        self.critic_steps, self.until, self.clip = critic_steps, until, clip

    @abstractmethod
    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        """Read a batch, (B, D) of each name."""

    def forward(self, *tensors: Tensor) -> Terms:
        return self.terms(dict(zip(self.requires, tensors, strict=True)))
