"""The task of training classifiers whose scores are to say nothing of pivots, R at once.

R copies, B batch, C classes.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledRows
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant.feeds import LabelledFeed
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.predictions import log_probabilities
from infobound.runners.invariant.reading import InvarianceReader
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.player import Player


class Invariance:
    """A Task: classifiers descend cross-entropy and a penalty, whose own networks take their steps
    after each of theirs.

    Of the steps the first `pretrain` are the classifiers' alone, and the next `pretrain_critic`
    those of the penalty's networks alone. A penalty that is confined to one class has batches of
    that class, as large as the others, of its own.
    """

    def __init__(
        self,
        feed: LabelledFeed,
        classifiers: Player,
        code: PivotCode,
        regularisation: Regularisation | None,
        reader: InvarianceReader,
        *,
        pretrain: int,
        pretrain_critic: int,
    ) -> None:
        self._feed, self._classifiers, self._code = feed, classifiers, code
        self._regularisation, self._reader = regularisation, reader
        self._pretrain, self._begin = pretrain, pretrain + pretrain_critic
        self._done, self._before = 0, dict[str, Any]()

    def step(self) -> Mapping[str, Tensor]:
        networks, regularisation = self._classifiers.networks, self._regularisation
        if 0 < self._begin == self._done:
            self._before = self._reader.pretrained(networks, regularisation)
        done, self._done = self._done, self._done + 1
        rows = self._feed.batches.draw()
        if regularisation is not None and self._pretrain <= done < self._begin:
            regularisation.fit(self._fresh)
            with torch.no_grad():
                return {"loss": self._loss(self._classifiers(rows.x), rows)}
        logits = self._classifiers(rows.x)
        loss = self._loss(logits, rows)
        if regularisation is None or not regularisation.active(networks.steps):
            self._classifiers.descend(loss)
            return {"loss": loss.detach()}
        seen = self._exposed(logits, rows) if self._feed.alone is None else self._fresh()
        told = regularisation.lead(self._classifiers, loss, seen)
        regularisation.fit(self._fresh)
        return {"loss": loss.detach(), **told}

    def evaluate(self, step: int) -> dict[str, Any]:
        return self._reader.validate(self._classifiers.networks, self._regularisation, step)

    def finished(self) -> bool:
        return False

    @property
    def before(self) -> dict[str, Any]:
        """What was read after the pre-training, if there was one."""
        return self._before

    @property
    def classifiers(self) -> Player:
        return self._classifiers

    @property
    def regularisation(self) -> Regularisation | None:
        return self._regularisation

    @property
    def reader(self) -> InvarianceReader:
        return self._reader

    def state(self) -> dict[str, Any]:
        own = {"done": self._done, "before": self._before}
        return own | {name: part.state() for name, part in self._parts.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._done, self._before = state["done"], state["before"]
        for name, part in self._parts.items():
            part.load(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        """All that has a state."""
        parts = {"batches": self._feed.batches, "alone": self._feed.alone}
        parts |= {"classifiers": self._classifiers, "regularisation": self._regularisation}
        return {name: part for name, part in parts.items() if part is not None}

    def _loss(self, logits: Tensor, rows: LabelledRows) -> Tensor:
        """(R,) cross-entropy in nats, by the rows' weights."""
        return cross_entropy(log_probabilities(logits), rows.labels, rows.weights)

    def _exposed(self, logits: Tensor, rows: LabelledRows) -> Exposed:
        code = self._code(rows.pivots)
        return expose(logits=logits.float(), pivot=code, raw_pivot=rows.pivots)

    def _fresh(self) -> Exposed:
        """What the classifiers expose of a new batch, of the class that the penalty is confined
        to.
        """
        rows = (self._feed.alone or self._feed.batches).draw()
        return self._exposed(self._classifiers(rows.x), rows)
