"""Early stopping, for every copy by itself."""

import math
from collections.abc import Sequence

from torch import Tensor

from infobound.runners.runs.written import State
from infobound.runners.training.ensemble import Weights


class EarlyStopping:
    """Keeps a copy of each replicate's weights at its best reading, and says when none has improved
    for `patience` readings.
    """

    def __init__(self, weights: Weights, patience: int | None) -> None:
        self._patience = patience
        self.best: dict[str, Tensor] = {name: tensor.clone() for name, tensor in weights.items()}
        self.begin(weights)

    def begin(self, weights: Weights) -> None:
        """Forget all readings; the best weights so far are these."""
        for name, best in self.best.items():
            best.copy_(weights[name])
        replicates = len(next(iter(weights.values())))
        self._readings, self._waited = [-math.inf] * replicates, [0] * replicates
        self._seen, self._at = 0, [0] * replicates

    @property
    def done(self) -> bool:
        """Whether every copy has waited long enough."""
        return all(map(self._stopped, range(len(self._waited))))

    @property
    def first(self) -> int:
        """How many copies were never better than at their first reading."""
        return sum(at == 1 for at in self._at) if self._seen > 1 else 0

    @property
    def last(self) -> int:
        """How many copies are best at the latest reading, so that another may be better."""
        return sum(at == self._seen for at in self._at) if self._seen > 1 else 0

    def see(self, readings: Sequence[float], weights: Weights) -> None:
        """Take in a reading of each copy, higher being better, and the weights behind it; a stopped
        copy stays as it is.
        """
        self._seen += 1
        for copy, reading in enumerate(readings):
            if self._stopped(copy):
                continue
            if reading > self._readings[copy]:
                self._readings[copy], self._waited[copy] = reading, 0
                self._at[copy] = self._seen
                for name, best in self.best.items():
                    best[copy] = weights[name][copy]
            else:
                self._waited[copy] += 1

    def state(self) -> State:
        return {
            "readings": self._readings,
            "waited": self._waited,
            "seen": self._seen,
            "at": self._at,
            "best": self.best,
        }

    def load(self, state: State) -> None:
        self._readings, self._waited = list(state["readings"]), list(state["waited"])
        self._seen, self._at = state["seen"], list(state["at"])
        for name, best in self.best.items():
            best.copy_(state["best"][name])

    def _stopped(self, copy: int) -> bool:
        return self._patience is not None and self._waited[copy] >= self._patience
