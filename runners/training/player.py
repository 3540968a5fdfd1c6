"""One player of a game: its networks and their training."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from infobound.runners.runs.checkpoint import check_alike
from infobound.runners.runs.written import State
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.schedule import Schedule


@dataclass(frozen=True)
class Player:
    """Copies of a network with their optimiser and the schedule of its learning rate, which counts
    their own steps.
    """

    networks: Ensemble
    optimizer: Optimizer
    schedule: Schedule

    def __call__(self, *inputs: Tensor) -> Any:
        """Compute the networks' output on inputs (R, ...), one tensor or several, each (R, ...)
        even for one copy.
        """
        return self._leading(self.networks(*inputs))

    def read(self, *inputs: Tensor) -> Any:
        """Compute the output with averaged weights in evaluation mode, without changing any
        state.
        """
        return self._leading(self.networks.read(*inputs))

    def descend(self, losses: Tensor) -> None:
        """Take one step to minimise the losses of all copies, (R,)."""
        self.schedule.set(self.networks.steps)
        self.networks.descend(losses, self.optimizer)

    def follow(self, gradient: Sequence[Tensor]) -> None:
        """Take one step with a gradient from Ensemble.gradient."""
        self.schedule.set(self.networks.steps)
        self.networks.follow(gradient, self.optimizer)

    def state(self) -> State:
        return {"networks": self.networks.state(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: State) -> None:
        """Load a state().

        Raises ValueError for the state of another optimiser, or of other parameters.
        """
        self.networks.load(state["networks"])
        saved = state["optimizer"]
        stepped = copy.deepcopy(self.optimizer)
        for group in stepped.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        stepped.step()
        wanted = stepped.state_dict()
        if not saved["state"]:  # before the first step
            wanted = {**wanted, "state": {}}
        check_alike("optimizer", wanted, saved)
        self.optimizer.load_state_dict(saved)

    def _leading(self, outputs: Any) -> Any:
        if self.networks.replicates > 1:
            return outputs
        return (
            outputs.unsqueeze(0)
            if isinstance(outputs, Tensor)
            else tuple(each.unsqueeze(0) for each in outputs)
        )
