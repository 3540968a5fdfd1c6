"""Replicates: R independent copies of a module, run as one by torch.func.

Shapes lead with R. One copy takes the same code without the lift, which would cost it a third of
its speed.
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
from infobound.runners.training.randomness import generator, stream

STRIDE = 4
"""Steps between two updates of the weight average, which reads all weights and would cost a
fortieth of a step every time.
"""
Weights = Mapping[str, Tensor]
"""Parameters and buffers by name, each (R, ...)."""


class Ensemble:
    """`replicates` copies of what `build` returns for their numbers, each initialised from a seed
    of its own.

    The module is an ordinary one and knows nothing of R; copy r does not depend on how many run
    beside it. With `average` above 0 what is read from the copies are exponential moving averages
    of their parameters with this decay.
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
        modules = [
            _initialised(partial(build, index), stream(seed, index, "init")).to(device)
            for index in range(replicates)
        ]
        self.replicates = replicates
        self._reader = copy.deepcopy(modules[0]).requires_grad_(False)
        self.built = described(self._reader)
        """How every copy is built."""
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
        }  # weight decay moves the rest
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
        """The module's output on inputs (R, ...), every tensor in it (R, ...), or without the R
        where there is one copy.
        """
        with self._precision:
            return self._forward(self._parameters, self._buffers, inputs)

    @torch.no_grad()
    def read(self, *inputs: Tensor) -> Any:
        """The same by the averaged weights and in evaluation mode, so that nothing is committed."""
        self._reader.eval()
        with self._precision:
            if self.replicates == 1:
                return self._read_copy(self._readable, tuple(tensor[0] for tensor in inputs))
            return torch.func.vmap(self._read_copy)(self._readable, inputs)

    def descend(self, losses: Tensor, optimizer: Optimizer) -> None:
        """One step of the optimiser down the losses of all copies, (R,) or (), and of the averages
        behind it.
        """
        assert self.parameters.grad is not None, "made with the parameters"
        self.parameters.grad.zero_()
        losses.sum().backward()
        self._step(optimizer)

    def gradient(self, losses: Tensor, *, again: bool = False) -> list[Tensor]:
        """That of all copies' losses by their parameters, a part (R, N) for each; no other network
        is asked for its own.

        `again` keeps what another gradient through the same values needs.
        """
        parts = torch.autograd.grad(
            losses.sum(), self._trained, retain_graph=again, materialize_grads=True
        )
        return [part.reshape(self.replicates, -1) for part in parts]

    def follow(self, gradient: Sequence[Tensor], optimizer: Optimizer) -> None:
        """The same step by a gradient, as `gradient` gives it."""
        torch.cat([part.view(-1) for part in gradient], out=self.parameters.grad)
        self._step(optimizer)

    @torch.no_grad()
    def check(self, *inputs: Tensor) -> None:
        """Run once and put everything back, so that what does not fit is refused before anything is
        sampled.

        Raises ValueError if the copies cannot be lifted, or with whatever the module itself says.
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
        """The parameters for an optimiser whose weight decay spares biases and the gains of
        normalisation: all but matrices.
        """
        axes = 2 if self.replicates == 1 else 3
        decayed, spared = (
            [each for each in self._trained if (each.ndim >= axes) == wanted]
            for wanted in (True, False)
        )
        return [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]

    @property
    def module(self) -> nn.Module:
        """What runs every copy: its plain attributes are theirs."""
        return self._module

    def weights(self) -> dict[str, Tensor]:
        """A copy of what is read from the replicates: averaged parameters, and buffers, (R,
        ...).
        """
        return {name: self._leading(tensor).clone() for name, tensor in self._readable.items()}

    @torch.no_grad()
    def copy(self, index: int, weights: Weights | None = None) -> nn.Module:
        """Copy `index`, with its averaged weights or those given, as a module of its own."""
        source = weights or {name: self._leading(tensor) for name, tensor in self._readable.items()}
        module = copy.deepcopy(self._reader, {id(self._generators): self._generators})
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            tensor.copy_(source[name][index])
        return module

    def state(self) -> State:
        """All that a resumed run needs."""
        flat = {"parameters": self.parameters.detach(), "average": self._average}
        noise = [each.get_state() for each in self._generators]
        counted = {"steps": self.steps, "noise": noise, "built": self.built}
        return {**flat, "buffers": self._buffers, **counted}

    @torch.no_grad()
    def load(self, state: State) -> None:
        """Take over a state()."""
        self.steps = state["steps"]
        self.parameters.copy_(state["parameters"])
        self._average.copy_(state["average"])
        for name, tensor in self._buffers.items():
            tensor.copy_(state["buffers"][name])
        self._set_noise(state["noise"])

    def fits(self, state: State) -> bool:
        """Whether a state() is one of as many copies of networks that are built alike, with as many
        parameters and the same buffers.
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
        """Stand before the first step with these weights."""
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
            )  # the average begins short and lengthens to its decay
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
    """The classes of a module and of its parts with all their settings, to tell whether two modules
    are built alike.
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
    """torch.nn draws its weights from the global generator, so it is set for the moment and put
    back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
