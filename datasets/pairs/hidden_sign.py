"""Two classes that differ only in the sign of a correlation.

a, b ~ N(0, I) in `dim` dimensions each, with correlation rho in every dimension for class 1 and
-rho for class 0; the classes are equally likely. No single dimension reveals the class, and a and b
are uncorrelated if the class is unknown.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.errors import SettingError


@dataclass(frozen=True)
class HiddenSign:
    """x = a and y = b, with a hidden class.

    I(A; B) = -(dim / 2) log(1 - rho^2) - log 2 + H(class | a, b) nats, the last term by quadrature
    to 1e-9.

    Raises ValueError if `dim` is not positive or rho is not between -1 and 1.
    """

    dim: int = 1
    rho: float = 0.9
    mutual_information: float = field(init=False)

    def __post_init__(self) -> None:
        _check(self.dim, self.rho)
        known = -self.dim / 2 * math.log1p(-(self.rho**2))
        object.__setattr__(
            self,
            "mutual_information",
            max(0.0, known - math.log(2) + ambiguity(self.dim, self.rho)),
        )

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, dim) float32 on the generator's device."""
        a, b, _ = _draw(self.dim, self.rho, size, generator)
        return a, b


@dataclass(frozen=True)
class TwoClasses:
    """x = (a, b) and y the class as a one-hot row, as in InfoShape (dim 10, rho 0.99).

    I(X; Y) = log 2 - H(class | a, b) nats, by quadrature to 1e-9.

    Raises ValueError if `dim` is not positive or rho is not between -1 and 1.
    """

    dim: int = 10
    rho: float = 0.99
    mutual_information: float = field(init=False)

    def __post_init__(self) -> None:
        _check(self.dim, self.rho)
        object.__setattr__(
            self, "mutual_information", max(0.0, math.log(2) - ambiguity(self.dim, self.rho))
        )

    @property
    def dim_x(self) -> int:
        return 2 * self.dim

    @property
    def dim_y(self) -> int:
        return 2

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, 2 dim), y (size, 2) float32 on the generator's device."""
        a, b, label = _draw(self.dim, self.rho, size, generator)
        return torch.cat([a, b], dim=1), torch.nn.functional.one_hot(label, 2).float()


def ambiguity(dim: int, rho: float) -> float:
    """H(class | a, b) in nats.

    The log-odds of class 1, given class 1, are L = rho (A / (1 - rho) - B / (1 + rho)) with A, B ~
    chi^2(dim) independent, because 4 a.b = |a + b|^2 - |a - b|^2; H = E[log(1 + exp(-L))] on an
    even grid over (log A, log B).
    """
    logs, weights = _log_chi_squared(dim)
    rho = abs(rho)
    log_odds = rho * (logs.exp()[:, None] / (1 - rho) - logs.exp() / (1 + rho))
    return (weights @ torch.nn.functional.softplus(-log_odds) @ weights).item()


def _log_chi_squared(dim: int) -> tuple[Tensor, Tensor]:
    """Values (M,) of log A and their probabilities (M,), for A ~ chi^2(dim)."""
    centre, width = math.log(dim), math.sqrt(2 / dim)
    logs = torch.linspace(
        centre - 12 * width - 80 / dim, centre + 12 * width, 1001, dtype=torch.float64
    )
    return logs, (dim / 2 * (logs - centre) - (logs.exp() - dim) / 2).softmax(0)


def _check(dim: int, rho: float) -> None:
    if dim < 1:
        raise SettingError("dim", "must be a positive integer", dim)
    if not abs(rho) < 1:
        raise SettingError("rho", "must lie between -1 and 1, both excluded", rho)


def _draw(
    dim: int, rho: float, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a, b (size, dim) and the class (size,)."""
    a, noise = torch.randn(2, size, dim, generator=generator, device=generator.device)
    label = torch.randint(2, (size,), generator=generator, device=generator.device)
    return a, rho * (2 * label - 1)[:, None] * a + math.sqrt(1 - rho**2) * noise, label
