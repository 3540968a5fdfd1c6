"""A label, and a point from the mixture component with that label."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.datasets.pairs import quadrature
from infobound.errors import SettingError


@dataclass(frozen=True)
class LabelledMixture:
    """x is a one-hot label, uniform over K classes, and y ~ N(means[k], sigma^2 I) for class k, in
    one or two dimensions.

    I(X; Y) = log K - mean_k E[log sum_j exp((|y - m_k|^2 - |y - m_j|^2) / 2 sigma^2)] nats with y
    from class k, by quadrature to 1e-9.

    Raises ValueError if there are fewer than two means, if their dimensions differ or exceed two,
    or if `sigma` is not positive.
    """

    means: Sequence[Sequence[float]]
    sigma: float
    mutual_information: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "means", tuple(tuple(each) for each in self.means))
        dims = {len(each) for each in self.means}
        if len(self.means) < 2 or dims not in ({1}, {2}):
            raise SettingError(
                "means", "must be two or more points on a line or in a plane", list(self.means)
            )
        if not 0 < self.sigma < math.inf:
            raise SettingError("sigma", "must be a positive number", self.sigma)
        object.__setattr__(self, "mutual_information", self._information())

    @property
    def dim_x(self) -> int:
        return len(self.means)

    @property
    def dim_y(self) -> int:
        return len(self.means[0])

    def _information(self) -> float:
        noise, weights = _standard_normal(self.dim_y)
        means = torch.tensor(self.means, dtype=torch.float64) / self.sigma
        apart = means[:, None] - means
        log_ratios = -apart.square().sum(2)[:, None] / 2 - torch.einsum("md,kjd->kmj", noise, apart)
        return math.log(self.dim_x) - (log_ratios.logsumexp(2) @ weights).mean().item()

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        label = torch.randint(self.dim_x, (size,), generator=generator, device=generator.device)
        noise = torch.randn(size, self.dim_y, generator=generator, device=generator.device)
        means = torch.tensor(self.means, device=generator.device)
        return torch.nn.functional.one_hot(label, self.dim_x).float(), means[
            label
        ] + self.sigma * noise


def _standard_normal(dim: int) -> tuple[Tensor, Tensor]:
    """Nodes (M, dim) and weights (M,) for expectations under N(0, I)."""
    places, weights = quadrature.nodes(-8, 8, 1)
    weights = weights * quadrature.normal_density(places, 1)
    grid = torch.cartesian_prod(*[places] * dim).reshape(-1, dim)
    return grid, torch.cartesian_prod(*[weights] * dim).reshape(-1, dim).prod(1)
