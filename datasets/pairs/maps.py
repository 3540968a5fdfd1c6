"""Invertible maps of one side of a pair, which do not change its mutual information.

N rows, D dimensions. Most are those of the benchmark "Beyond Normal"
(https://arxiv.org/abs/2306.11078).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Protocol

import torch
from torch import Tensor

from infobound.errors import SettingError


class Map(Protocol):
    """An invertible map of rows."""

    def dim(self, dim: int) -> int:
        """The number of output dimensions for `dim` input dimensions.

        Raises ValueError if the map does not accept `dim` dimensions.
        """
        ...

    def __call__(self, values: Tensor) -> Tensor:
        """Map (N, D) to (N, dim(D)); `values` is not modified."""
        ...


class Increasing(ABC):
    """A map that is strictly increasing in each dimension, so that ranks stay the same too."""

    def dim(self, dim: int) -> int:
        return dim

    @abstractmethod
    def __call__(self, values: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Identity(Increasing):
    """x."""

    def __call__(self, values: Tensor) -> Tensor:
        return values


@dataclass(frozen=True)
class Cubic(Increasing):
    """x^3."""

    def __call__(self, values: Tensor) -> Tensor:
        return values**3


@dataclass(frozen=True)
class HalfCube(Increasing):
    """sign(x) |x|^(3/2), which makes the tails heavier."""

    def __call__(self, values: Tensor) -> Tensor:
        return values * values.abs().sqrt()


@dataclass(frozen=True)
class Asinh(Increasing):
    """log(x + sqrt(x^2 + 1)), which makes the tails lighter."""

    def __call__(self, values: Tensor) -> Tensor:
        return values.asinh()


@dataclass(frozen=True)
class NormalCDF(Increasing):
    """The distribution function of N(0, 1): normal margins become uniform on (0, 1)."""

    def __call__(self, values: Tensor) -> Tensor:
        return torch.special.ndtr(values)


@dataclass(frozen=True)
class Wiggly(Increasing):
    """x + sum of a sin(f x + p) over `waves` (a, f, p): amplitude, frequency and phase.

    Raises ValueError if the sum of abs(a f) reaches 1, because the map may then not be invertible.
    """

    waves: Sequence[tuple[float, float, float]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "waves", tuple(tuple(each) for each in self.waves))
        steepest = sum(abs(amplitude * frequency) for amplitude, frequency, _ in self.waves)
        if not steepest < 1:
            raise SettingError(
                "waves",
                "must have amplitudes times frequencies that sum to less than 1",
                f"{steepest:g}",
            )

    def __call__(self, values: Tensor) -> Tensor:
        wiggles = (
            amplitude * (frequency * values + phase).sin()
            for amplitude, frequency, phase in self.waves
        )
        return sum(wiggles, start=values)


@dataclass(frozen=True)
class MixtureQuantile(Increasing):
    """F^-1(Phi(x)) with F the distribution function of sum of weights[k] N(means[k], 1): normal
    margins become that mixture.

    It is computed by bisection in float64, to 1e-12 of the search range.

    Raises ValueError if the weights are not positive or do not sum to 1, or if there are not as
    many weights as means.
    """

    weights: Sequence[float]
    means: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(self.weights))
        object.__setattr__(self, "means", tuple(self.means))
        if len(self.weights) != len(self.means):
            raise SettingError(
                "weights", "must be as many as means", f"{len(self.weights)} and {len(self.means)}"
            )
        if not all(weight > 0 for weight in self.weights) or abs(sum(self.weights) - 1) > 1e-6:
            raise SettingError("weights", "must be positive and sum to 1", list(self.weights))

    def __call__(self, values: Tensor) -> Tensor:
        target = values.double()
        low, high = target + min(self.means), target + max(self.means)
        level = torch.special.ndtr(target)
        for _ in range(40):
            middle = (low + high) / 2
            below = self._distribution(middle) < level
            low, high = middle.where(below, low), high.where(below, middle)
        return ((low + high) / 2).to(values.dtype)

    def _distribution(self, values: Tensor) -> Tensor:
        parts = zip(self.weights, self.means, strict=True)
        return sum(
            (weight * torch.special.ndtr(values - mean) for weight, mean in parts),
            start=torch.zeros_like(values),
        )


@dataclass(frozen=True)
class SwissRoll:
    """t (cos t, sin t) / 21 with t = 3 pi / 2 (1 + 2 x), for a one-dimensional x in [0, 1], such as
    the output of NormalCDF.
    """

    def dim(self, dim: int) -> int:
        if dim != 1:
            raise ValueError(f"SwissRoll takes one dimension, got {dim}")
        return 2

    def __call__(self, values: Tensor) -> Tensor:
        angle = 1.5 * pi * (1 + 2 * values)
        return torch.cat([angle * angle.cos(), angle * angle.sin()], dim=1) / 21


@dataclass(frozen=True)
class Spiral:
    """Rotates dimensions `axis` and `axis + 1` by the angle speed |x|^2; `speed` is 1 / D by
    default.

    Raises ValueError if `axis` is negative, or if there is no dimension `axis + 1`.
    """

    axis: int
    speed: float | None

    def __post_init__(self) -> None:
        if self.axis < 0:
            raise SettingError("axis", "must be 0 or more", self.axis)

    def dim(self, dim: int) -> int:
        if dim < self.axis + 2:
            raise SettingError(
                "axis",
                f"must be {dim - 2} at most, the one before the last of {dim} dimensions",
                self.axis,
            )
        return dim

    def __call__(self, values: Tensor) -> Tensor:
        speed = 1 / values.shape[1] if self.speed is None else self.speed
        angle = speed * values.square().sum(1)
        first, second = values[:, self.axis], values[:, self.axis + 1]
        turned = values.clone()
        turned[:, self.axis] = angle.cos() * first - angle.sin() * second
        turned[:, self.axis + 1] = angle.sin() * first + angle.cos() * second
        return turned


@dataclass(frozen=True)
class Bend:
    """Adds strength a^2 to the second half of the dimensions, where a is the first half; an odd
    last dimension stays unchanged.
    """

    strength: float

    def dim(self, dim: int) -> int:
        if dim < 2:
            raise ValueError(f"Bend needs at least two dimensions, got {dim}")
        return dim

    def __call__(self, values: Tensor) -> Tensor:
        half = values.shape[1] // 2
        bent = values.clone()
        bent[:, half : 2 * half] += self.strength * values[:, :half].square()
        return bent
