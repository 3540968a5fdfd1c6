"""Early stopping, separately for every copy."""

import math
from collections.abc import Sequence

from torch import Tensor

from infobound.runners.runs.written import State
from infobound.runners.training.ensemble import Weights


class EarlyStopping:
    """Keeps each replicate's weights at its best reading, and tells when none has improved for
    `patience` readings.
    """

    def __init__(self, weights: Weights, patience: int | None) -> None:
        self._patience = patience
        self.best: dict[str, Tensor] = {name: tensor.clone() for name, tensor in weights.items()}
        self.begin(weights)

    def begin(self, weights: Weights) -> None:
        """Forget all readings; these are the best weights so far."""
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
        """The number of copies whose first reading is the best."""
        return sum(at == 1 for at in self._at) if self._seen > 1 else 0

    @property
    def last(self) -> int:
        """The number of copies whose latest reading is the best, so that more training may help."""
        return sum(at == self._seen for at in self._at) if self._seen > 1 else 0

    def see(self, readings: Sequence[float], weights: Weights) -> None:
        """Take a reading of each copy, where higher is better, and its weights; a stopped copy does
        not change.
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
