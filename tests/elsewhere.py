"""A device that is not the CPU, for machines without a GPU: its tensors have values, and operations
that mix them with the CPU's fail as on a GPU.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from infobound.runners.training import settings

CPU = torch.device("cpu")
ELSEWHERE = torch.device("lazy")
"""A kind of device that PyTorch knows and that nothing here implements."""
ACROSS = {
    torch.ops.aten.copy_.default,
    torch.ops.aten._to_copy.default,
    torch.ops.aten._pin_memory.default,
}
"""Operations that copy from one device to another."""
JOINING = {torch.ops.aten.cat.default, torch.ops.aten.stack.default}
"""Operations that take no number of another device."""
INDEXING = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._unsafe_index.Tensor,
}
"""Operations whose indices may be on the CPU."""


class Elsewhere(Tensor):
    """A tensor on the device, with its values in a tensor of the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "Elsewhere":
        made = Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=ELSEWHERE,
        )
        made.held = values
        return made

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError(f"can't convert a tensor of {ELSEWHERE} to numpy; use Tensor.cpu()")
        return self.held.numpy(force=True)

    def tolist(self) -> Any:
        return self.held.tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A file has the values alone, which are loaded to the CPU."""
        return self.held.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return performed(func, args, kwargs or {})


class Source(torch.Generator):
    """A generator of either device."""

    addresses: ClassVar[set[int]] = set()
    """Those of the device; operations get another object with the same address."""

    def __new__(cls, device: object = CPU) -> "Source":
        made = super().__new__(cls)
        made.place = torch.device(str(device))
        (cls.addresses.add if made.place == ELSEWHERE else cls.addresses.discard)(address(made))
        return made

    place: torch.device

    @property
    def device(self) -> torch.device:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.place


class Mode(TorchDispatchMode):
    """Sends every operation to performed(), also those that make a tensor of nothing."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return performed(func, args, kwargs or {})


def performed(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The result of an operation, on the device if its tensors are, or if it is asked for there."""
    leaves = tree_leaves((args, kwargs))
    held = [each for each in leaves if isinstance(each, Elsewhere)]
    asked = kwargs.get("device")
    if held and func not in ACROSS:
        refuse_others(func, args, leaves)
    there = bool(held) if asked is None else torch.device(asked) == ELSEWHERE
    if (source := kwargs.get("generator")) is not None:
        refuse_source(func, source, there)
    changed = dict(kwargs) if asked is None else {**kwargs, "device": CPU}
    found = func(*tree_map(values_of, args), **tree_map(values_of, changed))
    if there or (held and func is torch.ops.aten.copy_.default):
        found = tree_map(lambda each: Elsewhere(each) if isinstance(each, Tensor) else each, found)
    return return_and_correct_aliasing(func, args, kwargs, found) if held else found


def values_of(each: object) -> object:
    return each.held if isinstance(each, Elsewhere) else each


def refuse_others(func: Any, args: tuple[Any, ...], leaves: Sequence[object]) -> None:
    """Raise RuntimeError if tensors of the CPU take part, except for numbers and indices."""
    if func in INDEXING:
        leaves = [args[0], *args[2:]]
    for each in leaves:
        if not isinstance(each, Tensor) or isinstance(each, Elsewhere):
            continue
        if func in JOINING or (each.ndim and each.numel()):
            raise RuntimeError(
                f"Expected all tensors to be on the same device: {func} of {ELSEWHERE} got"
                f" {tuple(each.shape)} of the CPU"
            )


def address(source: torch.Generator) -> int:
    """The address of a generator's state, which its Python objects share."""
    return getattr(source, "_cdata")  # noqa: B009


def refuse_source(func: Any, source: torch.Generator, there: bool) -> None:
    if (address(source) in Source.addresses) != there:
        raise RuntimeError(f"Expected a generator of the device of {func}")


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """Runs are on the device, whatever their settings say."""
    Source.addresses.clear()
    with pytest.MonkeyPatch.context() as patched, Mode():
        patched.setattr(settings, "device_named", lambda name: ELSEWHERE)
        patched.setattr(torch, "Generator", Source)
        fused = "_get_fused_kernels_supported_devices"
        patched.setattr(
            sys.modules[torch.optim.Optimizer.__module__], fused, lambda: ["cpu", ELSEWHERE.type]
        )
        yield ELSEWHERE
