"""The task of training classifiers whose scores should not depend on pivots, R at once.

R copies, B batch, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.labelled.rows import LabelledRows
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant.feeds import LabelledFeed
from infobound.runners.invariant.known import Known
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.predictions import log_probabilities
from infobound.runners.invariant.reading import InvarianceReader, JudgedCopy
from infobound.runners.runs.metrics import JSON, Metrics, Quantity, read_at
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.training import limits
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.player import Player
from infobound.runners.training.settings import Settings
from infobound.runners.training.taking_over import other_networks
from infobound.runners.training.task import Kept, Stateful, Task


@dataclass(frozen=True, kw_only=True)
class Phases(Settings):
    """The phases of training: `pretrain` steps of only the classifier, without a penalty, then
    `pretrain_critic` steps of only the penalty's critic or adversary, then both.

    Raises ValueError for values out of range.
    """

    pretrain: int
    pretrain_critic: int

    def __post_init__(self) -> None:
        limits.at_least(self, pretrain=0, pretrain_critic=0)

    @property
    def begin(self) -> int:
        """The number of steps before both are trained."""
        return self.pretrain + self.pretrain_critic


class Invariance(Task):
    """Classifiers minimise cross-entropy and a penalty, whose own networks take their steps after
    each step of the classifiers; `phases` gives the earlier steps of either alone.

    A penalty that is restricted to one class has its own batches of that class, of the same size.
    """

    def __init__(
        self,
        feed: LabelledFeed,
        classifiers: Player,
        code: PivotCode,
        regularisation: Regularisation | None,
        reader: InvarianceReader,
        phases: Phases,
        known: Known,
    ) -> None:
        self.feed, self.reader = feed, reader
        self.classifiers, self.regularisation = classifiers, regularisation
        self._code, self._phases = code, phases
        self._tested: Sequence[JudgedCopy] = ()
        before: dict[str, list[float]] = {}
        self._kept = Kept(done=0, before=before)
        parts: dict[str, Stateful | None] = {"batches": feed.batches, "alone": feed.alone}
        parts |= {"classifiers": classifiers, "regularisation": regularisation}
        parts |= {"kept": self._kept, "known": known, "code": code, "settled": reader.settled}
        self.parts = {name: part for name, part in parts.items() if part is not None}

        self.read_again, self.merit = ["classifiers"], self._merit

    def step(self) -> Mapping[str, Tensor]:
        done, phases, regularisation = self._kept["done"], self._phases, self.regularisation
        if 0 < phases.begin == done:
            found = self.reader.watch("pretrained", 0)
            self._kept["before"] = {
                name: [*each.copies] for name, each in found.items() if isinstance(each, Quantity)
            }
        self._kept["done"] = done + 1
        rows = self.feed.batches.draw()
        if regularisation is not None and phases.pretrain <= done < phases.begin:
            regularisation.fit(self.penalised)
            with torch.no_grad():
                return {"loss": self.loss(self.classifiers(rows.x), rows)}
        logits = self.classifiers(rows.x)
        loss = self.loss(logits, rows)
        if regularisation is None or not regularisation.active(self.classifiers.networks.steps):
            self.classifiers.descend(loss)
            return {"loss": loss.detach()}
        seen = self.exposed(logits, rows) if self.feed.alone is None else self.penalised()
        told = regularisation.lead(self.classifiers, loss, seen)
        regularisation.fit(self.penalised)
        return {"loss": loss.detach(), **told}

    def evaluate(self, step: int) -> Metrics:
        return self.reader.watch("validation", step)

    def read(self, step: int) -> dict[str, Quantity | JSON]:
        """All measures on the test rows, with those after pre-training."""
        self._tested = self.reader.test()
        return self.reader.metrics(self._tested) | read_at("pretrained", self.before)

    @property
    def before(self) -> dict[str, Quantity]:
        """The reading after pre-training, if there was one."""
        units = self.reader.measures.units
        kept = self._kept["before"].items()
        return {name: Quantity(copies, unit=units.get(name, "")) for name, copies in kept}

    @property
    def tested(self) -> Sequence[JudgedCopy]:
        """The test results of each copy, available after read()."""
        return self._tested

    @property
    def rows(self) -> Mapping[str, Mapping[str, Tensor]]:
        return {"predictions": self.reader.table(self._tested)} if self._tested else {}

    def take_over(self, run: TrainedRun) -> None:
        """Load the classifiers of a completed run with the facts about its rows, and the penalty if
        it is the run's.

        Raises ValueError unless they are built alike.
        """
        super().take_over(run)
        self._code.load(run.part("code"))
        self.reader.settled.load(run.part("settled"))
        if (penalty := self.regularisation) is not None and (
            "regularisation" not in run.state or not penalty.take_over(run.part("regularisation"))
        ):
            raise other_networks(run)

    def _merit(self, found: Metrics) -> float | None:
        """Minus the held-out loss, including the penalty if there is one, once both are trained;
        None if these rows cannot give it.
        """
        if self._kept["done"] <= self._phases.begin:
            return None
        parts = {"cross_entropy": 1.0}
        if self.regularisation is not None:
            parts[self.regularisation.quantity] = self.regularisation.strength
        read = {name: each for name in parts if isinstance(each := found[name], Quantity)}
        if len(read) < len(parts):
            return None
        return -sum(parts[name] * each.value for name, each in read.items())

    def loss(self, logits: Tensor, rows: LabelledRows) -> Tensor:
        """The cross-entropy (R,) in nats of logits (R, B, C - 1), weighted by the rows' weights."""
        return cross_entropy(log_probabilities(logits), rows.labels, rows.weights)

    def exposed(self, logits: Tensor, rows: LabelledRows) -> Exposed:
        """The tensors that a penalty may use of a batch and its logits (R, B, C - 1)."""
        code = self._code(rows.pivots)
        return expose(logits=logits.float(), pivot=code, raw_pivot=rows.pivots)

    def penalised(self) -> Exposed:
        """The tensors that the classifiers expose for a new batch of the penalty's rows."""
        rows = self.feed.penalised.draw()
        return self.exposed(self.classifiers(rows.x), rows)
