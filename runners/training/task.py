"""What a runner trains: steps, held-out readings, and a state that is composed of its parts.

R copies.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from infobound.errors import SettingError
from infobound.runners.runs.metrics import Metrics
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import State
from infobound.runners.training.player import Player
from infobound.runners.training.taking_over import take_over


class Stateful(Protocol):
    """What a resumed run needs of a part: weights, optimisers, generators, counts."""

    def state(self) -> State: ...

    def load(self, state: State) -> None: ...


class Task(ABC):
    """A training. `parts` are all that changes in it, by name; a checkpoint holds their states."""

    parts: Mapping[str, Stateful]
    read_again: Sequence[str] = ()
    """The parts, players all, that the test reading is of; none where it is of the training."""
    merit: Callable[[Metrics], float | None] | None = None
    """How good the weights behind a validation reading are, higher being better, and None where
    they do not count yet; None where no validation data say so.
    """

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

    def take_over(self, run: TrainedRun) -> None:
        """Have the networks of a completed run, to read them again.

        Raises ValueError unless these are built like its own.
        """
        if not self.read_again:
            raise SettingError("load", "must be null here: nothing is read that was trained before")
        for name in self.read_again:
            if not isinstance(player := self.parts[name], Player):
                raise TypeError(f"{name} must be a player, got {type(player).__name__}")
            take_over(run, player.networks, run.part(name)["networks"])


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
