"""Networks that a module of this package trains by itself, in any training loop."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.estimators.base import Estimator
from infobound.runners.runs.written import State

Network = TypeVar("Network", bound=nn.Module)
Optimizers = Callable[[list[Tensor]], Optimizer]
"""Creates an optimiser for parameters, such as `partial(torch.optim.Adam, lr=1e-3)`."""


class OwnNetworks(nn.Module, Generic[Network]):
    """Networks with their own optimiser; only it trains them.

    Their parameters require no gradient outside `descend`. So a loss computed with them passes
    gradients only to their inputs; an optimiser of all parameters of a model skips them, and so
    does DistributedDataParallel. In a process group, all processes use the networks of rank 0, and
    gradients are averaged over the processes. Optimiser state and step count are part of
    `state_dict` and follow the networks to another device.
    """

    networks: Network
    optimizer: Optimizer | None
    """None if the networks have no parameters."""

    def __init__(self, networks: Network, optimizer: Optimizers) -> None:
        super().__init__()
        self.networks = networks.requires_grad_(False)
        self.steps = 0
        self._make, self._shared = optimizer, False
        self._leaves = _leaves(networks)
        self._buffered = [
            (part, name)
            for part in networks.modules()
            for name, _ in part.named_buffers(recurse=False)
        ]
        self.optimizer = optimizer(self._leaves) if self._leaves else None
        self.register_load_state_dict_post_hook(_follow)

    def descend(self, loss: Callable[[], Tensor]) -> None:
        """Take one step to minimise a loss, which is computed while the networks require
        gradients.
        """
        self.share()
        with torch.enable_grad():
            try:
                self._require_gradients(True)
                value = loss()
                if self.optimizer is not None:
                    value.backward()
            finally:
                self._require_gradients(False)
        if self.optimizer is not None:
            _average(self._leaves)
            self.optimizer.step()
            for each in self._leaves:
                each.grad = None
        if _processes() > 1:
            _broadcast(self.networks.buffers())
        self.steps += 1

    @contextmanager
    def unmoved(self) -> Iterator[None]:
        """Restore buffers, such as running means, after the block."""
        if not (self._buffered and self.networks.training):
            yield
            return
        kept = [(part, name, part.get_buffer(name)) for part, name in self._buffered]
        for part, name, buffer in kept:
            setattr(part, name, buffer.clone())
        try:
            yield
        finally:
            for part, name, buffer in kept:
                setattr(part, name, buffer)

    def share(self, *, anew: bool = False) -> None:
        """Give all processes the networks of rank 0, once or `anew`."""
        if _processes() > 1 and (anew or not self._shared):
            self._shared = True
            _broadcast([*self._leaves, *self.networks.buffers()])

    def follow(self) -> None:
        """Make the optimiser follow the parameters to another device, or to replaced tensors."""
        before, self._leaves = self._leaves, _leaves(self.networks)
        self._require_gradients(False)
        if self.optimizer is None:
            return
        state = self.optimizer.state_dict()
        if any(old is not new for old, new in zip(before, self._leaves, strict=True)):
            self.optimizer = self._make(self._leaves)
        self.optimizer.load_state_dict(state)

    def _require_gradients(self, required: bool) -> None:
        for each in self._leaves:
            each.requires_grad_(required)

    def get_extra_state(self) -> dict[str, object]:
        state = self.optimizer.state_dict() if self.optimizer is not None else None
        return {"optimizer": state, "steps": self.steps}

    def set_extra_state(self, state: State) -> None:
        self.steps = state["steps"]
        if self.optimizer is not None:
            self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> "OwnNetworks[Network]":
        super()._apply(fn, recurse)
        for part in self.networks.modules():
            if isinstance(part, Estimator):
                part.float()  # moving averages and nats need full precision
        self.follow()
        return self


def _leaves(networks: nn.Module) -> list[Tensor]:
    return list(networks.parameters())


def _follow(module: OwnNetworks[nn.Module], incompatible: object) -> None:
    module.follow()


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@torch.no_grad()
def _average(parameters: list[Tensor]) -> None:
    """Give all processes the mean of their gradients."""
    if (count := _processes()) > 1:
        gradients = [each.grad for each in parameters if each.grad is not None]
        flat = torch.cat([each.flatten() for each in gradients])
        dist.all_reduce(flat)
        parts = (flat / count).split([each.numel() for each in gradients])
        for each, part in zip(gradients, parts, strict=True):
            each.copy_(part.view_as(each))


@torch.no_grad()
def _broadcast(tensors: Iterable[Tensor]) -> None:
    """Copy tensors of rank 0 to all processes."""
    for each in tensors:
        dist.broadcast(each, 0)
