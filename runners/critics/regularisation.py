"""A penalty in training: R copies of it, next to the copies of a model, with the training of their
own networks.

R copies, B batch.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from infobound.estimators.measurement import Measurement
from infobound.regularizers import critics
from infobound.regularizers.base import Penalty, PurePenalty, PureTerms, Regularizer
from infobound.regularizers.exposed import Exposed, required
from infobound.runners.critics import evaluation
from infobound.runners.critics.held_out import RowHeldOut
from infobound.runners.critics.splits import Part
from infobound.runners.runs.written import State
from infobound.runners.training import adaptive_clipping
from infobound.runners.training.ensemble import Ensemble, described
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.player import Player
from infobound.runners.training.schedule import Schedule

BLOCK = 500
"""Number of held-out rows that are scored together."""
WHOLE = 2048
"""Number of held-out rows whose pairwise distances penalties without a critic hold at a time."""


class Regularisation:
    """Copies of a penalty, each created from rows (N, D) that its copy of the model exposes before
    training.

    `ensemble` creates the copies' networks from a function of the copy's index. `steps` is the
    length of the whole training; the model takes the first `begin` steps without a penalty.
    """

    networks: Ensemble
    """The copies, without parameters if the penalty has nothing to learn."""

    def __init__(
        self,
        penalty: Regularizer,
        rows: Callable[[int], Exposed],
        ensemble: Callable[[Callable[[int], nn.Module]], Ensemble],
        steps: int,
        begin: int = 0,
    ) -> None:
        self.networks = ensemble(lambda index: _Turns(penalty(rows(index))))
        self._turns = _turns(self.networks.module)
        self._penalty = self._turns.penalty
        self.strength = self._penalty.strength
        self._learner = _learner(self._penalty, self.networks)
        self._begin, self._end = begin, ending(self._penalty.until, steps)
        critic = critics.reader(self._penalty)
        self._critic = "" if critic is None else described(critic)

    def active(self, step: int) -> bool:
        """Whether the penalty acts on the model at the step after `step` steps."""
        return self._begin <= step < self._end

    def strength_at(self, step: int) -> float:
        """The weight of the penalty at the step after `step` steps."""
        warmup = self._penalty.warmup
        return (
            self.strength * min(1.0, (step - self._begin + 1) / warmup) if warmup else self.strength
        )

    def lead(self, model: Player, loss: Tensor, exposed: Exposed) -> dict[str, Tensor]:
        """Take one step of the model to minimise its loss (R,) plus the penalty of a batch (R, B,
        D) of each name, and return the penalty's reading (R,).

        The gradients of all other networks do not change. A penalty that clips has the weight beta
        c, with c from both gradients.
        """
        terms = self.terms(exposed)
        networks, told = model.networks, {self._penalty.quantity: terms.value}
        strength = self.strength_at(networks.steps)
        if not self._penalty.clip:
            model.follow(networks.gradient(loss + strength * terms.penalty))
            return told
        rest, gradient = networks.gradient(loss, again=True), networks.gradient(terms.penalty)
        share = adaptive_clipping.share(gradient, rest)
        weight = (strength * share)[:, None]
        model.follow(
            [torch.addcmul(part, extra, weight) for part, extra in zip(rest, gradient, strict=True)]
        )
        return told | {"clip": share}

    def terms(self, exposed: Exposed) -> PureTerms:
        """The terms (R,) that the model minimises, for a batch (R, B, D) of each name, without side
        effects.
        """
        read = self.networks(*required(exposed, self._penalty.requires))
        return read if self.networks.replicates > 1 else PureTerms(*(each[None] for each in read))

    def fit(self, batches: Callable[[], Exposed]) -> None:
        """Train the penalty's own networks, if it has any, for one step of the model; each of their
        steps has its own batch, (R, B, D) of each name.
        """
        if self._learner is None:
            return
        for _ in range(self._learner.steps):
            with torch.no_grad():
                exposed = batches()
            with self._turns.own():
                losses = self._learner.player(*required(exposed, self._penalty.requires))
            self._learner.player.descend(losses)

    @torch.no_grad()
    def held_out(self, copy: int, exposed: Exposed) -> dict[str, float]:
        """The reading of a copy's penalty on held-out rows (N, D) of each name: the information
        from its critic, or, without a critic, its mean value over blocks of rows.
        """
        return {self.quantity: held_out_penalty(self.penalty(copy), exposed)}

    @property
    def quantity(self) -> str:
        """The reading of held_out(), by name."""
        return "mi_critic" if self.reads else self._penalty.quantity

    @property
    def reads(self) -> bool:
        """Whether the penalty has a critic that estimates information."""
        return critics.reader(self._penalty) is not None

    def information(self, copy: int, exposed: Exposed) -> float | None:
        """The information in nats that a copy's critic reads on held-out rows (N, D) of each name,
        from pooled scores; None without such a critic.
        """
        penalty = self.penalty(copy)
        if (critic := critics.reader(penalty)) is None:
            return None
        x, y = required(exposed, penalty.requires)
        return held_out(critic, x, y)

    def penalty(self, copy: int) -> Penalty | PurePenalty:
        """A copy as an ordinary module, valid until the next call."""
        return _turns(self.networks.copy(copy)).penalty

    def check(self, exposed: Exposed) -> None:
        """Run once on a batch (R, B, D) of each name.

        Raises ValueError if the batch does not fit.
        """
        self.networks.check(*required(exposed, self._penalty.requires))

    def take_over(self, state: State) -> bool:
        """Load the critics of a state() if they are built like these; return whether they are."""
        alike = state.get("critic", self._critic) == self._critic
        if not alike or not self.networks.fits(state["networks"]):
            return False
        self.networks.load(state["networks"])
        return True

    def state(self) -> State:
        if self._learner is None:
            return {"critic": self._critic, "networks": self.networks.state()}
        return {"critic": self._critic, **self._learner.player.state()}

    def load(self, state: State) -> None:
        if self._learner is None:
            self.networks.load(state["networks"])
        else:
            self._learner.player.load(state)


class _Turns(nn.Module):
    """A penalty as an ensemble runs it: it gives its terms in the model's turn, and its networks'
    loss in theirs.
    """

    def __init__(self, penalty: Penalty | PurePenalty) -> None:
        super().__init__()
        self.penalty, self._own = penalty, False

    @contextmanager
    def own(self) -> Iterator[None]:
        """Switch to the turn of the penalty's own networks."""
        self._own = True
        try:
            yield
        finally:
            self._own = False

    def forward(self, *tensors: Tensor) -> PureTerms | Tensor:
        exposed = dict(zip(self.penalty.requires, tensors, strict=True))
        if isinstance(self.penalty, PurePenalty):
            return self.penalty.terms(exposed)
        return self.penalty.fit(exposed) if self._own else self.penalty.read(exposed)


class _Learner(NamedTuple):
    """The training of a penalty's own networks: their player, and their steps for one of the
    model.
    """

    player: Player
    steps: int


def _learner(penalty: Penalty | PurePenalty, networks: Ensemble) -> _Learner | None:
    """The learner of a penalty, None if the penalty has nothing to learn."""
    if isinstance(penalty, PurePenalty) or not networks.parameters.numel():
        return None
    optimizer = elementwise(penalty.optimizer([networks.parameters]))
    player = Player(networks, optimizer, Schedule(optimizer, warmup=0, end=None))
    return _Learner(player, penalty.critic_steps)


def _turns(module: nn.Module) -> _Turns:
    if not isinstance(module, _Turns):
        raise TypeError(f"module must be a penalty as an ensemble runs it, got {type(module)}")
    return module


@torch.no_grad()
def held_out_penalty(penalty: Penalty | PurePenalty, exposed: Exposed) -> float:
    """The reading of a penalty on held-out rows (N, D) of each name: nats from its critic, or,
    without a critic, its mean value over blocks of rows.
    """
    rows = required(exposed, penalty.requires)
    if (critic := critics.reader(penalty)) is not None:
        return held_out(critic, *rows)
    penalty.eval()
    blocks = zip(*(each.tensor_split(-(-len(each) // WHOLE)) for each in rows), strict=True)
    return statistics.fmean(penalty(*block).value.item() for block in blocks)


def held_out(measurement: Measurement, x: Tensor, y: Tensor) -> float:
    """The estimate in nats on held-out rows x (N, dim_x), y (N, dim_y), up to READ of them, from
    pooled scores.
    """
    rows = RowHeldOut({"test": Part([x], [y], []).spaced()}, BLOCK)
    return evaluation.value(
        measurement.estimator, evaluation.pool(measurement, rows.blocks(0, "test", 0))
    )


def ending(until: float | None, steps: int) -> int:
    """The step at which a penalty ends: `until` is a step, a share of all steps if it is below 1,
    or None for never.
    """
    if until is None:
        return steps
    return round(until * steps) if until < 1 else int(until)
