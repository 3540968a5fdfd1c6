"""The task of training encoders whose codes keep a label and hide their input, R at once, beside
the critics of both.

R copies, B batch, N rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from infobound.regularizers.exposed import Exposed, expose
from infobound.regularizers.privacy_utility import PrivacyUtility
from infobound.runners.critics.regularisation import Regularisation, held_out
from infobound.runners.infoshape.code_pairs import encode
from infobound.runners.training.batches import RowBatches
from infobound.runners.training.ensemble import Weights
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import together


class Shaping:
    """A Task: critics learn for `warm_up` steps, then encoders descend their difference once before
    the critics' next steps.
    """

    def __init__(
        self,
        batches: RowBatches,
        encoders: Player,
        regularisation: Regularisation,
        test: Sequence[tuple[Tensor, Tensor]],
        warm_up: int,
        seed: int,
    ) -> None:
        self._batches, self._encoders, self._regularisation = batches, encoders, regularisation
        self.test, self._warm_up, self._seed, self._steps = test, warm_up, seed, 0
        self.first = encoders.networks.weights()
        """Those of the encoders before the first step."""

    def step(self) -> Mapping[str, Tensor]:
        x, y = self._batches.draw()
        seen = expose(input=x, label=y, representation=self._encoders(x))
        terms = self._regularisation.terms(seen)
        if self._steps >= self._warm_up:
            self._encoders.follow(self._encoders.networks.gradient(terms.penalty))
        self._steps += 1
        self._regularisation.fit(self._fresh)
        return {"loss": terms.value}

    def evaluate(self, step: int) -> dict[str, Any]:
        """What the critics in training read of the test rows."""
        return together([self._read(copy, step) for copy in range(len(self.test))])

    def finished(self) -> bool:
        return False

    def encoder(self, copy: int, weights: Weights | None = None) -> nn.Module:
        """That of a copy, as it is or with these weights; the next call overwrites it."""
        return self._encoders.networks.copy(copy, weights)

    def training(self, copy: int) -> tuple[Tensor, Tensor]:
        """The training rows of a copy."""
        return self._batches.look(copy)

    def state(self) -> dict[str, Any]:
        return {**{name: part.state() for name, part in self._parts.items()}, "steps": self._steps}

    def load(self, state: Mapping[str, Any]) -> None:
        self._steps = state["steps"]
        for name, part in self._parts.items():
            part.load(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        return {
            "batches": self._batches,
            "encoders": self._encoders,
            "regularisation": self._regularisation,
        }

    def _fresh(self) -> Exposed:
        x, y = self._batches.draw()
        return expose(input=x, label=y, representation=self._encoders(x))

    def _read(self, copy: int, step: int) -> dict[str, float]:
        x, y = self.test[copy]
        z = encode(self.encoder(copy), x, generator(x.device, self._seed, copy, "validation", step))
        penalty = self._regularisation.penalty(copy)
        assert isinstance(penalty, PrivacyUtility), "checked by the runner's constructor"
        return {
            "mi_label": held_out(penalty.utility, y, z),
            "mi_input": held_out(penalty.privacy, x, z),
        }
