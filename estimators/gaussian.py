"""Mutual information of jointly normal variables, by canonical correlations.

N points, D_x and D_y features, P canonical pairs.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64
from scipy.special import digamma
from torch import Tensor

from infobound.estimators.base import Kind, SampleEstimate
from infobound.estimators.rows import error_of, paired


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """-1/2 sum_p log(1 - rho_p^2) over the canonical correlations of x and y, found by one singular
    value decomposition.

    Exact for jointly normal pairs, a lower bound if x is normal and y is normal, in general neither
    bound. `unbiased` subtracts the upward bias of about D_x D_y / 2N, exactly for normal pairs,
    which may give a value below 0. The variance falls as 1 / N. It costs N (D_x + D_y)^2. Hotelling
    1936, https://doi.org/10.1093/biomet/28.3-4.321

    The standard error comes from the influence values, the fitted pointwise mutual information of
    each row.

    Raises ValueError for rows that are not paired, not finite or too few, and if x and y determine
    each other linearly.
    """

    unbiased: bool = True
    kind: ClassVar[Kind] = "neither"

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        pairs = canonical(*paired(x, y, x.shape[-1] + y.shape[-1] + 2))
        rho = pairs.rho
        if rho.size and rho[0] ** 2 >= 1 - 1e-12:
            raise ValueError(
                "x and y must not determine each other linearly, but a canonical correlation is 1"
            )
        value = pairs.information
        if self.unbiased:
            value -= _bias(len(x), *pairs.ranks)
        return SampleEstimate(value, error_of(_quadratic(pairs.u, pairs.v, rho)))


@dataclass(frozen=True)
class Canonical:
    """The canonical variables u (N, P) of x and v (N, P) of y, of variance 1, and their
    correlations (P,) in descending order.
    """

    u: Float64[np.ndarray, "N P"]
    v: Float64[np.ndarray, "N P"]
    rho: Float64[np.ndarray, " P"]
    ranks: tuple[int, int]
    """The ranks of x and of y."""

    @property
    def information(self) -> float:
        """-1/2 sum_p log(1 - rho_p^2) in nats, infinite where a correlation is 1."""
        with np.errstate(divide="ignore"):
            return -float(np.log1p(-np.minimum(self.rho**2, 1)).sum()) / 2


def canonical(x: Float64[np.ndarray, "N D_x"], y: Float64[np.ndarray, "N D_y"]) -> Canonical:
    """The canonical pairs of rows x and y."""
    white_x, white_y = _whitened(x), _whitened(y)
    left, rho, right = np.linalg.svd(white_x.T @ white_y / len(x), full_matrices=False)
    return Canonical(white_x @ left, white_y @ right.T, rho, (white_x.shape[1], white_y.shape[1]))


def _whitened(table: Float64[np.ndarray, "N D"]) -> Float64[np.ndarray, "N rank"]:
    """Uncorrelated columns of variance 1 that span those of the table."""
    centred = table - table.mean(0)
    scale = centred.std(0)
    centred = centred[:, scale > 0] / scale[scale > 0]
    variances, axes = np.linalg.eigh(centred.T @ centred / len(table))
    kept = variances > 1e-12 * max(len(variances), 1)
    return centred @ axes[:, kept] / np.sqrt(variances[kept])


def _bias(rows: int, dim_x: int, dim_y: int) -> float:
    """The bias for jointly normal pairs, from E log det of a Wishart matrix with N - 1 degrees of
    freedom.
    """
    terms = digamma((rows - np.arange(1, dim_x + dim_y + 1)) / 2)
    return float(terms[:dim_x].sum() + terms[:dim_y].sum() - terms.sum()) / 2


def _quadratic(
    u: Float64[np.ndarray, "N P"], v: Float64[np.ndarray, "N P"], rho: Float64[np.ndarray, " P"]
) -> Float64[np.ndarray, " N"]:
    """The part of the fitted pointwise mutual information that depends on the canonical pairs u and
    v.
    """
    return ((rho * u * v - rho**2 * (u**2 + v**2) / 2) / (1 - rho**2)).sum(1)
