"""RealNVP, a network that is invertible by construction."""

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.layers.initialisation import near_zero
from infobound.models.layers.mlp import mlp


class Coupling(nn.Module):
    """Keeps the first half of x, replaces the second by scale * second + shift, and permutes the
    result in a fixed random order.

    A network computes the shift from the first half, and if `affine` also s for the scale
    softplus(s + log(e^(1 - l) - 1)) + l. The scale is always above l = `least_scale` and equals 1
    at s = 0, so that a chain of couplings initially preserves volumes. Without `affine` the scale
    is 1.
    """

    order: Tensor

    def __init__(
        self,
        inputs: int,
        generator: torch.Generator | None,
        *,
        hidden: Sequence[int],
        activation: str,
        affine: bool,
        least_scale: float,
        deviation: float,
    ) -> None:
        super().__init__()
        self.passing, self.affine, self.least_scale = inputs // 2, affine, least_scale
        moved = inputs - self.passing
        self.network = near_zero(
            mlp(self.passing, hidden, (1 + affine) * moved, activation), deviation, generator
        )
        self.register_buffer("order", torch.randperm(inputs, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        passing, moved = x.tensor_split([self.passing], dim=-1)
        shift, scale = self._change(passing)
        return torch.cat([passing, moved * scale + shift], dim=-1).index_select(-1, self.order)

    def inverse(self, z: Tensor) -> Tensor:
        """Return the x (B, inputs) that is mapped to z (B, inputs)."""
        passing, moved = z.index_select(-1, self.order.argsort()).tensor_split(
            [self.passing], dim=-1
        )
        shift, scale = self._change(passing)
        return torch.cat([passing, (moved - shift) / scale], dim=-1)

    def _change(self, passing: Tensor) -> tuple[Tensor, Tensor | float]:
        """Shift and scale of the second half."""
        if not self.affine:
            return self.network(passing), 1.0
        shift, raw = self.network(passing).chunk(2, dim=-1)
        return shift, F.softplus(
            raw + math.log(math.expm1(1 - self.least_scale))
        ) + self.least_scale


class RealNVP(nn.Sequential):
    """A chain of couplings, initially close to a permutation of its inputs: (B, inputs) -> (B,
    inputs).

    Without `affine` it preserves volumes. The weights of the couplings' networks are drawn from
    N(0, deviation^2), truncated at two deviations. Dinh et al. 2017,
    https://arxiv.org/abs/1605.08803; as in Tschannen et al. 2020, https://arxiv.org/abs/1907.13625

    The inverse divides by the scales, which never fall below `least_scale`, so that rounding errors
    stay small.

    Raises ValueError unless there are at least two inputs and one coupling, `deviation` is
    positive, and 0 < least_scale < 1.
    """

    def __init__(
        self,
        inputs: int,
        generator: torch.Generator | None = None,
        *,
        couplings: int,
        hidden: Sequence[int],
        activation: str,
        affine: bool,
        least_scale: float,
        deviation: float,
    ) -> None:
        if inputs < 2:
            raise ValueError(f"RealNVP needs at least two inputs, got {inputs}")
        if couplings < 1:
            raise SettingError("couplings", "must be a positive integer", couplings)
        if not 0 < least_scale < 1:
            raise SettingError("least_scale", "must be between 0 and 1", least_scale)
        coupling = partial(
            Coupling, hidden=hidden, activation=activation, affine=affine, least_scale=least_scale
        )
        super().__init__(
            *(coupling(inputs, generator, deviation=deviation) for _ in range(couplings))
        )

    def inverse(self, z: Tensor) -> Tensor:
        """The x (B, inputs) whose representation is z (B, inputs)."""
        for coupling in reversed(self):
            assert isinstance(coupling, Coupling)
            z = coupling.inverse(z)
        return z
