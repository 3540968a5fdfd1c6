"""Codes: what an encoder gives away of its input, with noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.noise.gaussian_noise import Noise
from infobound.runners.classify.reading import set_noise
from infobound.runners.training import limits
from infobound.runners.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Codes(Settings):
    """A code is tanh of what the encoder `model` puts out, with normal `noise` of that standard
    deviation.

    Without noise I(X; Z) of a continuous input would be infinite. With it no code tells more than
    its resolution allows, which longer codes cannot undo.

    Raises ValueError for what makes no code.
    """

    model: Callable[[int], nn.Module] | None
    noise: float

    def __post_init__(self) -> None:
        limits.encoders(self.model)
        if not 0 < self.noise < math.inf:
            raise SettingError(
                "noise", "must be above 0, or codes tell of their inputs without end", self.noise
            )

    def encoder(self, inputs: int) -> nn.Module:
        """A network that makes codes (B, D) of inputs (B, inputs)."""
        return nn.Sequential(limits.encoders(self.model)(inputs), nn.Tanh(), Noise(self.noise))


@torch.no_grad()
def encode(encoder: nn.Module, x: Tensor, source: torch.Generator) -> Tensor:
    """Codes (N, D) of x (N, dim_x), with their noise."""
    set_noise(encoder.eval(), source)
    return encoder(x)
