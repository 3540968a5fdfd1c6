"""Gaussian pairs with any covariance."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infobound.errors import SettingError


@dataclass(frozen=True)
class MultivariateGaussians:
    """(x, y) ~ N(0, covariance), where x is the first `dim_x` dimensions.

    I(X; Y) = (log det S_x + log det S_y - log det S) / 2 nats, exact, where S is the covariance and
    S_x, S_y are its blocks.

    Raises ValueError if the covariance is not a symmetric positive definite matrix, or `dim_x`
    leaves no x or no y.
    """

    dim_x: int
    covariance: Sequence[Sequence[float]]
    factor: Tensor = field(init=False, repr=False, compare=False)
    """The lower Cholesky factor of the covariance, float64."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariance", tuple(tuple(row) for row in self.covariance))
        object.__setattr__(self, "factor", _cholesky(self.covariance))
        if not 1 <= self.dim_x < len(self.covariance):
            raise SettingError(
                "dim_x",
                f"must lie between 1 and {len(self.covariance) - 1}, so that x and y share the"
                f" {len(self.covariance)} dimensions of the covariance",
                self.dim_x,
            )

    @classmethod
    def sparse(cls, dim_x: int, dim_y: int, pairs: int, rho: float) -> "MultivariateGaussians":
        """Standard normal dimensions; x_i and y_i have the correlation `rho` for i up to `pairs`,
        and all others are uncorrelated.

        Raises ValueError if there are fewer dimensions than pairs, or rho is not between -1 and 1.
        """
        _check_dims(dim_x, dim_y)
        if not 0 <= pairs <= min(dim_x, dim_y):
            raise SettingError(
                "pairs",
                f"must lie between 0 and {min(dim_x, dim_y)}, the smaller of dim_x and dim_y",
                pairs,
            )
        if not abs(rho) < 1:
            raise SettingError("rho", "must lie between -1 and 1, both excluded", rho)
        covariance = torch.eye(dim_x + dim_y, dtype=torch.float64)
        for i in range(pairs):
            covariance[i, dim_x + i] = covariance[dim_x + i, i] = rho
        return cls(dim_x, covariance.tolist())

    @classmethod
    def dense(cls, dim_x: int, dim_y: int, rho: float) -> "MultivariateGaussians":
        """Standard normal dimensions; any two of them, also of the same side, have the correlation
        `rho`.

        Raises ValueError if there is no such distribution.
        """
        _check_dims(dim_x, dim_y)
        lowest = -1 / (dim_x + dim_y - 1)
        if not lowest < rho < 1:
            raise SettingError(
                "rho",
                f"must lie between {lowest:g} and 1, both excluded, in {dim_x + dim_y} dimensions",
                rho,
            )
        covariance = torch.full(
            (dim_x + dim_y, dim_x + dim_y), rho, dtype=torch.float64
        ).fill_diagonal_(1)
        return cls(dim_x, covariance.tolist())

    @classmethod
    def chain(cls, dim_x: int, dim_y: int, rho: float) -> "MultivariateGaussians":
        """Standard normal dimensions of a Markov chain, x and then y, in which neighbours have the
        correlation `rho`. Only the last dimension of x and the first of y are informative about
        the other side: I(X; Y) = -log(1 - rho^2) / 2 nats.

        Raises ValueError if rho is not between -1 and 1.
        """
        _check_dims(dim_x, dim_y)
        if not abs(rho) < 1:
            raise SettingError("rho", "must lie between -1 and 1, both excluded", rho)
        place = torch.arange(dim_x + dim_y, dtype=torch.float64)
        return cls(dim_x, (rho ** (place[:, None] - place).abs()).tolist())

    @property
    def dim_y(self) -> int:
        return len(self.covariance) - self.dim_x

    @property
    def mutual_information(self) -> float:
        own = torch.linalg.cholesky(self._matrix[self.dim_x :, self.dim_x :]).diagonal().log().sum()
        return max(0.0, (own - self.factor.diagonal()[self.dim_x :].log().sum()).item())

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        white = torch.randn(
            size, len(self.covariance), generator=generator, device=generator.device
        )
        pairs = white @ self.factor.to(white).T
        return pairs[:, : self.dim_x], pairs[:, self.dim_x :]

    @property
    def _matrix(self) -> Tensor:
        return torch.tensor(self.covariance, dtype=torch.float64)


def _check_dims(dim_x: int, dim_y: int) -> None:
    for name, dim in ("dim_x", dim_x), ("dim_y", dim_y):
        if dim < 1:
            raise SettingError(name, "must be a positive integer", dim)


def _cholesky(covariance: Sequence[Sequence[float]]) -> Tensor:
    if not covariance or any(len(row) != len(covariance) for row in covariance):
        raise SettingError(
            "covariance",
            "must be square",
            f"{len(covariance)} rows of {sorted({len(row) for row in covariance})}",
        )
    matrix = torch.tensor(covariance, dtype=torch.float64)
    if not matrix.isfinite().all() or not matrix.allclose(matrix.T, rtol=1e-9, atol=1e-12):
        raise SettingError("covariance", "must be finite and symmetric")
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        lowest = torch.linalg.eigvalsh(matrix)[0].item()
        raise SettingError(
            "covariance", "must be positive definite", f"an eigenvalue of {lowest:.3g}"
        )
    return factor
