"""A penalty in training: R copies of it, with their own optimiser, beside the copies of a model.

R copies, B batch.
"""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from infobound.estimators.measurement import Measurement
from infobound.regularizers.base import Penalty, Terms
from infobound.runners.critics import evaluation
from infobound.runners.critics.held_out import RowHeldOut
from infobound.runners.critics.reading import described
from infobound.runners.critics.splits import Part
from infobound.runners.training import adaptive_clipping
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.player import Player
from infobound.runners.training.schedule import Schedule

BLOCK = 500
"""Held-out rows that are scored together."""
WHOLE = 2048
"""Held-out rows whose distances from one another are held at a time, by penalties without a
critic.
"""
Rows = Mapping[str, Tensor]
"""What a model exposes, by name."""


class Regularisation:
    """Copies of a penalty, each made of rows (N, D) of what its copy of the model exposes at first.

    `ensemble` makes networks of copies from a function of their number, and `steps` are those of
    the whole training; the model takes `begin` of them before it has a penalty.
    """

    def __init__(
        self,
        penalty: Callable[[Rows], Penalty],
        rows: Callable[[int], Rows],
        ensemble: Callable[[Callable[[int], nn.Module]], Ensemble],
        steps: int,
        begin: int = 0,
    ) -> None:
        networks = ensemble(lambda index: penalty(rows(index)))
        assert isinstance(networks.module, Penalty), "built by the line before"
        self._penalty = networks.module
        self.strength = self._penalty.strength
        optimizer = elementwise(self._penalty.optimizer([networks.parameters]))
        self._player = Player(networks, optimizer, Schedule(optimizer, warmup=0, end=None))
        self._begin, self._end = begin, ending(self._penalty.until, steps)
        self._critic = described(self._penalty.measurement) if self._penalty.measurement else ""

    def active(self, step: int) -> bool:
        """Whether it has anything to say to the model at the step after `step` ones."""
        return self._begin <= step < self._end

    def strength_at(self, step: int) -> float:
        """What the penalty is weighed by at the step after `step` ones."""
        warmup = self._penalty.warmup
        return (
            self.strength * min(1.0, (step - self._begin + 1) / warmup) if warmup else self.strength
        )

    def lead(self, model: Player, loss: Tensor, exposed: Rows) -> dict[str, Tensor]:
        """One step of the model down its loss (R,) and the penalty of a batch (R, B, D) of each
        name: what that reads, (R,).

        It leaves the gradients of all other networks alone. A penalty that clips weighs beta c, c
        of both gradients before it.
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

    def terms(self, exposed: Rows) -> Terms:
        """What the model is to descend: three (R,) of a batch (R, B, D) of each name, without a
        side effect.
        """
        self._penalty.learning = False
        return self._read(exposed)

    def fit(self, batches: Callable[[], Rows]) -> None:
        """The steps of its own networks for one of the model, each on a batch of its own, (R, B, D)
        of each name.
        """
        if not self._player.networks.parameters.numel():
            return
        for _ in range(self._penalty.critic_steps):
            with torch.no_grad():
                exposed = batches()
            self._penalty.learning = True
            self._player.descend(self._read(exposed).fit)

    @torch.no_grad()
    def held_out(self, copy: int, exposed: Rows) -> dict[str, float]:
        """What the penalty of a copy reads of held-out rows (N, D) of each name: information by its
        critic, or else its value, the mean over blocks of rows.
        """
        if self.reads:
            return {"mi_critic": self.information(copy, exposed)}
        penalty, rows = self._player.networks.copy(copy).eval(), self._required(exposed)
        blocks = zip(*(each.tensor_split(-(-len(each) // WHOLE)) for each in rows), strict=True)
        return {
            self._penalty.quantity: statistics.fmean(
                penalty(*block).value.item() for block in blocks
            )
        }

    @property
    def reads(self) -> bool:
        """Whether it has critics that read information."""
        return self._penalty.measurement is not None

    def information(self, copy: int, exposed: Rows) -> float:
        """Nats that the critic of a copy reads of held-out rows (N, D) of each name, all scores
        pooled.
        """
        measurement = self.penalty(copy).measurement
        assert measurement is not None, "asked for where it reads"
        x, y = self._required(exposed)
        return held_out(measurement, x, y)

    def penalty(self, copy: int) -> Penalty:
        """A copy as an ordinary module; the next call overwrites it."""
        penalty = self._player.networks.copy(copy)
        assert isinstance(penalty, Penalty), "as built"
        return penalty

    def check(self, exposed: Rows) -> None:
        """Run once on a batch (R, B, D) of each name.

        Raises ValueError where that does not fit.
        """
        self._player.networks.check(*self._required(exposed))

    def take_over(self, state: Mapping[str, Any]) -> bool:
        """Have the critics of a state() where they are built like these; whether they are."""
        networks = self._player.networks
        if state.get("critic", self._critic) != self._critic or not networks.fits(
            state["networks"]
        ):
            return False
        networks.load(state["networks"])
        return True

    def state(self) -> dict[str, Any]:
        return {"critic": self._critic, **self._player.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._player.load(state)

    def _read(self, exposed: Rows) -> Terms:
        return Terms(*self._player(*self._required(exposed)))

    def _required(self, exposed: Rows) -> list[Tensor]:
        return [exposed[name] for name in self._penalty.requires]


def held_out(measurement: Measurement, x: Tensor, y: Tensor) -> float:
    """Nats that a critic reads of held-out rows x (N, dim_x), y (N, dim_y), all scores pooled."""
    rows = RowHeldOut({"test": Part([x], [y], [])}, BLOCK)
    return evaluation.value(
        measurement.estimator, evaluation.pool(measurement, rows.blocks(0, "test", 0))
    )


def ending(until: float | None, steps: int) -> int:
    """The step at which what lasts `until` a step, or below 1 until a share of all steps, is off;
    None is never.
    """
    if until is None:
        return steps
    return round(until * steps) if until < 1 else int(until)
