"""A function of x with noise. It tests whether an estimate is the same for equally noisy relations
of different shapes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from infobound.datasets.pairs import quadrature
from infobound.errors import SettingError

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "cubic": lambda x: x**3,
    "sine": torch.sin,
}
REACH = 9.0
"""Number of standard deviations beyond which the noise density is taken to be 0; the error is below
1e-15.
"""


@dataclass(frozen=True)
class NoisyFunction:
    """x ~ U(-1, 1) and y = f(x) + sigma e with e ~ N(0, 1), in `dim` dimensions each; f(x) is x,
    x^3 or sin x.

    I(X; Y) = dim (h(Y_1) - log(2 pi e sigma^2) / 2) nats, the entropy of one dimension by
    quadrature to 1e-9 (the equitability figure of Belghazi et al. 2018,
    https://arxiv.org/abs/1801.04062).

    Raises ValueError if `dim` is not positive or `sigma` is below 0.01, because mutual information
    diverges.
    """

    function: Literal["linear", "cubic", "sine"] = "sine"
    dim: int = 2
    sigma: float = 0.1
    mutual_information: float = field(init=False)

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise SettingError("dim", "must be a positive integer", self.dim)
        if not 0.01 <= self.sigma < float("inf"):
            raise SettingError("sigma", "must be a finite number, 0.01 or more", self.sigma)
        object.__setattr__(self, "mutual_information", self.dim * self._information())

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    def _information(self) -> float:
        """The mutual information of one dimension, nats."""
        steepest = 3.0
        x, weights_x = quadrature.nodes(-1, 1, self.sigma / steepest)
        y, weights_y = quadrature.nodes(-1 - REACH * self.sigma, 1 + REACH * self.sigma, self.sigma)
        means = FUNCTIONS[self.function](x)
        density = quadrature.normal_density(y[:, None] - means, self.sigma) @ weights_x / 2
        return quadrature.entropy(density, weights_y) - quadrature.normal_entropy(self.sigma)

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, dim) float32 on the generator's device."""
        x = 2 * torch.rand(size, self.dim, generator=generator, device=generator.device) - 1
        noise = torch.randn(size, self.dim, generator=generator, device=generator.device)
        return x, FUNCTIONS[self.function](x) + self.sigma * noise
