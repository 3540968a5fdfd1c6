"""Replicates: R independent copies of a module, run as one by torch.func.

Shapes lead with R. One copy takes the same code without the lift, which would cost it a third of its speed.
"""

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.utils._pytree import tree_map_only

from runners.randomness import stream

Weights = Mapping[str, Tensor]
"""Parameters and buffers by name, each (R, ...)."""


class Ensemble:
    """`replicates` copies of what `build` returns, each initialised from a seed of its own.

    The module is an ordinary one and knows nothing of R; copy r does not depend on how many run beside it. With `average`
    above 0 what is read from the copies are exponential moving averages of their parameters with this decay.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        *,
        replicates: int,
        seed: int,
        device: torch.device,
        precision: str,
        compiled: bool,
        average: float,
    ) -> None:
        modules = [_initialised(build, stream(seed, index, "init")).to(device) for index in range(replicates)]
        self.replicates = replicates
        self._reader = copy.deepcopy(modules[0]).requires_grad_(False)
        if replicates == 1:
            self._module = modules[0]
            self._parameters, self._buffers = dict(self._module.named_parameters()), dict(self._module.named_buffers())
            forward = self._run_one
        else:
            self._parameters, self._buffers = stack_module_state(modules)
            self._module = copy.deepcopy(modules[0]).to("meta")
            forward = torch.func.vmap(self._run_copy)
        self._eager, self._forward = forward, torch.compile(forward) if compiled else forward
        bf16 = precision == "bf16"
        self._precision = torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()
        self._decay, self._updates = average, 0
        current = {name: tensor.detach() for name, tensor in self._parameters.items()}
        self._averages = {name: tensor.clone() for name, tensor in current.items()} if average else current

    def __call__(self, *inputs: Tensor) -> Any:
        """The module's output on inputs (R, ...), every tensor in it (R, ...)."""
        with self._precision:
            return self._forward(self._parameters, self._buffers, inputs)

    def parameters(self) -> list[Tensor]:
        """The trainable tensors of all copies, for one optimiser."""
        return list(self._parameters.values())

    @torch.no_grad()
    def track(self) -> None:
        """Take the parameters into their averages, after a step; the average begins short and lengthens to its decay."""
        if self._decay:
            self._updates += 1
            weight = 1 - min(self._decay, self._updates / (self._updates + 9))
            torch._foreach_lerp_(list(self._averages.values()), list(self._parameters.values()), weight)  # pyright: ignore

    @torch.no_grad()
    def check(self, *inputs: Tensor) -> None:
        """Run once and put everything back, so that what does not fit is refused before anything is sampled.

        Raises ValueError if the copies cannot be lifted, or with whatever the module itself says.
        """
        before = {name: tensor.clone() for name, tensor in self._buffers.items()}
        try:
            with self._precision:
                self._eager(self._parameters, self._buffers, inputs)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            if self.replicates == 1:
                raise ValueError(f"this network cannot run on its data: {reason}") from error
            raise ValueError(f"this network cannot run as several copies at once ({reason}); use replicates=1") from error
        for name, tensor in self._buffers.items():
            tensor.copy_(before[name])

    def weights(self) -> dict[str, Tensor]:
        """A copy of what is read from the replicates: averaged parameters, and buffers, (R, ...)."""
        return {name: self._leading(tensor).detach().clone() for name, tensor in {**self._averages, **self._buffers}.items()}

    @torch.no_grad()
    def copy(self, index: int, weights: Weights | None = None) -> nn.Module:
        """Copy `index`, with its averaged weights or those given, as an ordinary module; the next call overwrites it."""
        source = weights or {name: self._leading(tensor) for name, tensor in {**self._averages, **self._buffers}.items()}
        for name, tensor in {**dict(self._reader.named_parameters()), **dict(self._reader.named_buffers())}.items():
            tensor.copy_(source[name][index])
        return self._reader

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        groups = {"parameters": self._parameters, "buffers": self._buffers, "averages": self._averages}
        tensors = {name: {key: tensor.detach() for key, tensor in group.items()} for name, group in groups.items()}
        return {**tensors, "updates": self._updates}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a state()."""
        self._updates = state["updates"]
        groups = {"parameters": self._parameters, "buffers": self._buffers, "averages": self._averages}
        for name, group in groups.items():
            for key, tensor in group.items():
                tensor.copy_(state[name][key])

    def _run_one(self, parameters: Any, buffers: Any, inputs: tuple[Tensor, ...]) -> Any:
        outputs = self._module(*(tensor[0] for tensor in inputs))
        return tree_map_only(Tensor, lambda tensor: tensor.unsqueeze(0), outputs)

    def _run_copy(self, parameters: Any, buffers: Any, inputs: tuple[Tensor, ...]) -> Any:
        return functional_call(self._module, (parameters, buffers), inputs)

    def _leading(self, tensor: Tensor) -> Tensor:
        return tensor.unsqueeze(0) if self.replicates == 1 else tensor


def _initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """torch.nn draws its weights from the global generator, so it is set for the moment and put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
