"""Gaussian noise inside a network, drawn from generators that the training sets."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from infobound.errors import SettingError


class _Normal(torch.autograd.Function):
    """Draws standard normal numbers in a tensor's shape; under vmap, copy r draws from the r-th
    generator.
    """

    @staticmethod
    def forward(like: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        return _drawn(like, generators[0])

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[object, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[None, None]:
        return None, None

    @staticmethod
    def vmap(info: object, in_dims: tuple[int, None], *args: Any) -> tuple[Tensor, int]:
        like, generators = args
        return (
            torch.stack(
                [_drawn(*each) for each in zip(like.unbind(in_dims[0]), generators, strict=True)]
            ),
            0,
        )


def _drawn(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


class Noise(nn.Module):
    """Returns x + std e with fresh e ~ N(0, I) in training, and x itself in evaluation.

    `generators` has one generator for each copy (an ordinary module is one copy) and must be set
    before training.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * self.normal(x) if self.training else x

    def normal(self, like: Tensor) -> Tensor:
        """Draw numbers from N(0, I) in a tensor's shape and type, also in evaluation."""
        drawn: Tensor = _Normal.apply(like.detach(), self.generators)  # pyright: ignore[reportAssignmentType]
        return drawn


def noise_before(layers: int, std: Sequence[float]) -> list[list[nn.Module]]:
    """The modules before each of `layers` linear layers: noise of the listed standard deviations,
    or nothing for 0.

    Raises ValueError unless `std` is empty, for no noise, or lists a number of 0 or more for each
    layer.
    """
    if std and not (len(std) == layers and all(each >= 0 for each in std)):
        raise SettingError(
            "noise",
            f"must list a standard deviation of 0 or more before each of {layers} linear"
            " layers, or be empty",
            std,
        )
    return [[Noise(each)] if each else [] for each in std or [0.0] * layers]
