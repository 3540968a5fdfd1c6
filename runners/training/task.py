"""The interface of tasks, which runners train: steps, held-out readings, and the state of all
parts.

R copies.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from infobound.errors import SettingError
from infobound.runners.runs.checkpoint import check_alike
from infobound.runners.runs.metrics import Metrics
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import State
from infobound.runners.training.player import Player
from infobound.runners.training.taking_over import take_over


class Stateful(Protocol):
    """A part with a state for resumed runs: weights, optimisers, generators or counts."""

    def state(self) -> State: ...

    def load(self, state: State) -> None: ...


class Task(ABC):
    """A training. `parts` has everything that changes, by name; a checkpoint has their states."""

    parts: Mapping[str, Stateful]
    read_again: Sequence[str] = ()
    """The players that the test reading reads; empty if it reads the training itself."""
    merit: Callable[[Metrics], float | None] | None = None
    """The merit of the weights at a validation reading, where higher is better, or None if they do
    not count yet. The function is None without validation data.
    """

    @abstractmethod
    def step(self) -> Mapping[str, Tensor]:
        """Take one step and return its detached quantities, each (R,) or (), without waiting for
        the device.
        """

    def evaluate(self, step: int) -> Metrics:
        """Held-out quantities after `step` steps, recorded as validation; empty for none."""
        return {}

    @abstractmethod
    def read(self, step: int) -> Metrics:
        """The metrics of result.json, read once on test data after the last step."""

    @property
    def finished(self) -> bool:
        """Whether every copy has stopped early."""
        return False

    @property
    def constants(self) -> Mapping[str, float | None]:
        """Constants that are drawn with the written values, such as {"mi/true": 2.0}."""
        return {}

    @property
    def rows(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Tables of the test rows after read(): columns (M,) by file name."""
        return {}

    @property
    def arrays(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Outputs of loaded networks, available after read(): arrays by file name."""
        return {}

    @property
    def data(self) -> Tensor | None:
        """Data (N, *shape) to show next to `samples`, None for a task without samples."""
        return None

    def samples(self) -> Tensor | None:
        """Samples (R, N, *shape) of the copies, kept after every evaluation; None for none."""
        return None

    def state(self) -> State:
        """The states of all parts."""
        return {name: part.state() for name, part in self.parts.items()}

    def load(self, state: State) -> None:
        """Load a state().

        Raises ValueError if its values have other types or shapes than those of this task.
        """
        for name, part in self.parts.items():
            check_alike(name, part.state(), state[name])
            part.load(state[name])

    def take_over(self, run: TrainedRun) -> None:
        """Load the networks of a completed run, to read them again.

        Raises ValueError unless they are built like the task's own.
        """
        if not self.read_again:
            raise SettingError(
                "load", "must be null here: this runner cannot read trained networks"
            )
        for name in self.read_again:
            if not isinstance(player := self.parts[name], Player):
                raise TypeError(f"{name} must be a player, got {type(player).__name__}")
            take_over(run, player.networks, run.part(name)["networks"])


class Kept:
    """Plain values for a checkpoint, such as a count of steps."""

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
