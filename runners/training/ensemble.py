"""Replicates: R independent copies of a module, run as one by torch.func.

Shapes start with R. A single copy runs the same code without vmap, which would cost a third of its
speed.
"""

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.optim import Optimizer

from infobound.models.noise.gaussian_noise import Noise
from infobound.runners.runs.errors import out_of_memory
from infobound.runners.runs.written import State, Written
from infobound.runners.training.flat_parameters import flattened, views
from infobound.runners.training.memory import copies_must_fit
from infobound.runners.training.randomness import generator, stream

STRIDE = 4
"""Steps between two updates of the weight average, which reads all weights and takes a fortieth of
a step.
"""
Weights = Mapping[str, Tensor]
"""Parameters and buffers by name, each (R, ...)."""


class Ensemble:
    """`replicates` copies of the module that `build` returns for a copy's index, each initialised
    from its own seed.

    The module is an ordinary one that does not know R; copy r does not depend on the number of
    other copies. With `average` above 0, readings use exponential moving averages of the parameters
    with this decay.
    """

    def __init__(
        self,
        build: Callable[[int], nn.Module],
        *,
        replicates: int,
        seed: int,
        device: torch.device,
        precision: str,
        compiled: bool,
        average: float,
    ) -> None:
        def initialised(index: int) -> nn.Module:
            return _initialised(partial(build, index), stream(seed, index, "init")).to(device)

        modules = [initialised(0)]
        numbers = sum(each.numel() for each in modules[0].parameters())
        copies_must_fit(replicates, numbers, device)
        modules += map(initialised, range(1, replicates))
        self.replicates = replicates
        self._reader = copy.deepcopy(modules[0]).requires_grad_(False)
        self.built = described(self._reader)
        """A description of how every copy is built."""
        if replicates == 1:
            self._module = modules[0]
            self._parameters, self._buffers = (
                dict(self._module.named_parameters()),
                dict(self._module.named_buffers()),
            )
            forward = self._run_one
        else:
            self._parameters, self._buffers = _stacked(modules)
            self._module = copy.deepcopy(modules[0]).to("meta")
            forward = torch.func.vmap(self._run_copy)
        self._eager, self._forward = forward, torch.compile(forward) if compiled else forward
        bf16 = precision == "bf16"
        self._precision = (
            torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()
        )
        trained = {
            name: each for name, each in self._parameters.items() if each.requires_grad
        }  # weight decay applies to the rest
        self.parameters = flattened(trained.values())
        self._trained = [*trained.values()]
        self._generators = [generator(device, seed, index, "noise") for index in range(replicates)]
        for layer in (*self._module.modules(), *self._reader.modules()):
            if isinstance(layer, Noise):
                layer.generators = self._generators
        self._decay, self.steps = average, 0
        self._average = self.parameters.detach().clone() if average else self.parameters.detach()
        averages = views(self._average, trained.values())
        self._readable = (
            self._parameters | dict(zip(trained, averages, strict=True)) | self._buffers
        )

    def __call__(self, *inputs: Tensor) -> Any:
        """Compute the module's output on inputs (R, ...), every tensor in it (R, ...), or without R
        if there is one copy.
        """
        with self._precision:
            return self._forward(self._parameters, self._buffers, inputs)

    @torch.no_grad()
    def read(self, *inputs: Tensor) -> Any:
        """Compute the output with averaged weights in evaluation mode, without changing any
        state.
        """
        self._reader.eval()
        with self._precision:
            if self.replicates == 1:
                return self._read_copy(self._readable, tuple(tensor[0] for tensor in inputs))
            return torch.func.vmap(self._read_copy)(self._readable, inputs)

    def descend(self, losses: Tensor, optimizer: Optimizer) -> None:
        """Take one optimiser step to minimise the losses of all copies, (R,) or (), and update the
        averages.
        """
        assert self.parameters.grad is not None, "made with the parameters"
        self.parameters.grad.zero_()
        losses.sum().backward()
        self._step(optimizer)

    def gradient(self, losses: Tensor, *, again: bool = False) -> list[Tensor]:
        """The gradient of all copies' losses by their parameters, a part (R, N) for each; other
        networks get no gradients.

        `again` keeps the graph for another gradient through the same values.
        """
        parts = torch.autograd.grad(
            losses.sum(), self._trained, retain_graph=again, materialize_grads=True
        )
        return [part.reshape(self.replicates, -1) for part in parts]

    def follow(self, gradient: Sequence[Tensor], optimizer: Optimizer) -> None:
        """Take one optimiser step with a gradient from `gradient`."""
        torch.cat([part.view(-1) for part in gradient], out=self.parameters.grad)
        self._step(optimizer)

    @torch.no_grad()
    def check(self, *inputs: Tensor) -> None:
        """Run once and restore everything, so that shapes that do not fit are refused before
        anything is sampled.

        Raises ValueError if the copies cannot run under vmap, or with the module's own message.
        """
        before = {name: tensor.clone() for name, tensor in self._buffers.items()}
        noise = [each.get_state() for each in self._generators]
        try:
            with self._precision:
                self._eager(self._parameters, self._buffers, inputs)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            reason = str(error).splitlines()[0]
            if self.replicates == 1:
                raise ValueError(f"this network cannot run on its data: {reason}") from error
            raise ValueError(
                f"this network cannot run as several copies at once ({reason}); use replicates=1"
            ) from error
        for name, tensor in self._buffers.items():
            tensor.copy_(before[name])
        self._set_noise(noise)

    @property
    def groups(self) -> list[Written]:
        """Parameter groups for an optimiser whose weight decay only applies to matrices, not to
        biases and normalisation gains.
        """
        axes = 2 if self.replicates == 1 else 3
        decayed, spared = (
            [each for each in self._trained if (each.ndim >= axes) == wanted]
            for wanted in (True, False)
        )
        return [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]

    @property
    def module(self) -> nn.Module:
        """The module that runs every copy; copies share its plain attributes."""
        return self._module

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights for reading: averaged parameters, and buffers, (R, ...)."""
        return {name: self._leading(tensor).clone() for name, tensor in self._readable.items()}

    @torch.no_grad()
    def copy(self, index: int, weights: Weights | None = None) -> nn.Module:
        """Copy `index` as a separate module, with its averaged weights or the given ones."""
        source = weights or {name: self._leading(tensor) for name, tensor in self._readable.items()}
        module = copy.deepcopy(self._reader, {id(self._generators): self._generators})
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            tensor.copy_(source[name][index])
        return module

    def state(self) -> State:
        """The state that a resumed run needs."""
        flat = {"parameters": self.parameters.detach(), "average": self._average}
        noise = [each.get_state() for each in self._generators]
        counted = {"steps": self.steps, "noise": noise, "built": self.built}
        return {**flat, "buffers": self._buffers, **counted}

    @torch.no_grad()
    def load(self, state: State) -> None:
        """Load a state()."""
        self.steps = state["steps"]
        self.parameters.copy_(state["parameters"])
        self._average.copy_(state["average"])
        for name, tensor in self._buffers.items():
            tensor.copy_(state["buffers"][name])
        self._set_noise(state["noise"])

    def fits(self, state: State) -> bool:
        """Whether a state() belongs to the same number of copies of networks that are built alike,
        with the same numbers of parameters and the same buffers.
        """
        buffers = {name: tensor.shape for name, tensor in state["buffers"].items()}
        sizes = (
            state["parameters"].shape == self.parameters.shape
            and len(state["noise"]) == self.replicates
            and state["built"] == self.built
        )
        return sizes and buffers == {name: tensor.shape for name, tensor in self._buffers.items()}

    @torch.no_grad()
    def begin(self, weights: Weights) -> None:
        """Start before the first step with these weights."""
        self.steps = 0
        for name, tensor in {**self._parameters, **self._buffers}.items():
            self._leading(tensor).copy_(weights[name])
        self._average.copy_(self.parameters)

    def _step(self, optimizer: Optimizer) -> None:
        optimizer.step()
        self.steps += 1
        if self._decay and self.steps % STRIDE == 0:
            updates = self.steps // STRIDE
            weight = 1 - min(
                self._decay**STRIDE, updates / (updates + 9)
            )  # the average starts short and grows to its decay
            self._average.lerp_(self.parameters.detach(), weight)

    def _set_noise(self, states: list[Tensor]) -> None:
        for each, state in zip(self._generators, states, strict=True):
            each.set_state(state)

    def _run_one(self, parameters: Any, buffers: Any, inputs: tuple[Tensor, ...]) -> Any:
        return self._module(*(tensor[0] for tensor in inputs))

    def _run_copy(self, parameters: Any, buffers: Any, inputs: tuple[Tensor, ...]) -> Any:
        return functional_call(self._module, (parameters, buffers), inputs)

    def _read_copy(self, weights: Any, inputs: tuple[Tensor, ...]) -> Any:
        return functional_call(self._reader, weights, inputs)

    def _leading(self, tensor: Tensor) -> Tensor:
        return tensor.unsqueeze(0) if self.replicates == 1 else tensor


def described(module: nn.Module) -> str:
    """A description of a module by the classes and settings of its parts, to compare how modules
    are built.
    """
    plain = (bool, int, float, str, type(None))
    parts = [
        (name, part, {key: each for key, each in vars(part).items() if isinstance(each, plain)})
        for name, part in module.eval().named_modules()
    ]
    return "\n".join(
        f"{name} {type(part).__name__} {part.extra_repr()} {settings}"
        for name, part, settings in parts
    )


def _stacked(modules: list[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    try:
        return stack_module_state(modules)
    except RuntimeError as error:
        raise ValueError(
            f"this network cannot run as several copies at once ({error}); use replicates=1"
        ) from error


def _initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build with a seed: torch.nn draws weights from the global generator, which is set and then
    restored.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
