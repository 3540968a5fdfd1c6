"""Codes: noisy representations of an encoder's input."""

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
    """A code is tanh of the output of the encoder `model`, plus normal noise with the standard
    deviation `noise`.

    Without noise, I(X; Z) of a continuous input would be infinite. With noise, the resolution
    limits the information of every number of a code.

    Raises ValueError if a setting gives no codes.
    """

    model: Callable[[int], nn.Module] | None
    noise: float

    def __post_init__(self) -> None:
        limits.encoders(self.model)
        if not 0 < self.noise < math.inf:
            raise SettingError("noise", "must be above 0, or I(X; Z) is infinite", self.noise)

    def encoder(self, inputs: int) -> nn.Module:
        """Create a network from inputs (B, inputs) to codes (B, D)."""
        return nn.Sequential(limits.encoders(self.model)(inputs), nn.Tanh(), Noise(self.noise))


@torch.no_grad()
def encode(encoder: nn.Module, x: Tensor, source: torch.Generator) -> Tensor:
    """Encode x (N, dim_x) as codes (N, D), with noise."""
    set_noise(encoder.eval(), source)
    return encoder(x)
