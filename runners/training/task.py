"""What a runner trains: steps, held-out readings, and a state that is composed of its parts.

R copies.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from infobound.runners.runs.metrics import Metrics
from infobound.runners.runs.written import State


class Stateful(Protocol):
    """What a resumed run needs of a part: weights, optimisers, generators, counts."""

    def state(self) -> State: ...

    def load(self, state: State) -> None: ...


class Task(ABC):
    """A training. `parts` are all that changes in it, by name; a checkpoint holds their states."""

    parts: Mapping[str, Stateful]

    @abstractmethod
    def step(self) -> Mapping[str, Tensor]:
        """Do one step and return its detached quantities, each (R,) or (), without waiting for the
        device.
        """

    def evaluate(self, step: int) -> Metrics:
        """Held-out quantities after `step` steps, recorded as validation; empty for none."""
        return {}

    @abstractmethod
    def read(self, step: int) -> Metrics:
        """The metrics of result.json, read once, on test data, after the last step."""

    @property
    def finished(self) -> bool:
        """Whether every copy has stopped early."""
        return False

    @property
    def constants(self) -> Mapping[str, float | None]:
        """Numbers that are drawn beside what is written, such as {"mi/true": 2.0}."""
        return {}

    @property
    def rows(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Tables of the test rows, known after read(): columns (M,) by the name of the file."""
        return {}

    @property
    def data(self) -> Tensor | None:
        """Data (N, *shape) to show beside `samples`, None for a task that makes none."""
        return None

    def samples(self) -> Tensor | None:
        """What the copies make now, (R, N, *shape), kept after every evaluation; None for none."""
        return None

    def state(self) -> State:
        """The states of all parts."""
        return {name: part.state() for name, part in self.parts.items()}

    def load(self, state: State) -> None:
        """Take over a state()."""
        for name, part in self.parts.items():
            part.load(state[name])


class Kept:
    """Plain values that a checkpoint has to keep, such as a count of steps."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.values[name] = value

    def state(self) -> State:
        return dict(self.values)

    def load(self, state: State) -> None:
        self.values = dict(state)
