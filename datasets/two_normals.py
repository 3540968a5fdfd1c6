"""Two normal classes in the plane, and what the best classifier of them reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from datasets import quadrature
from datasets.labelled_rows import Bayes

REACH, WIDTH = 9.0, 0.25
"""Of the grid: standard deviations on each side, and a panel's width. The edge between the classes costs 1e-5 of accuracy."""


@dataclass(frozen=True)
class TwoNormals:
    """Equally likely classes N(means[k], covariances[k]), k = 0, 1."""

    means: Sequence[Sequence[float]]
    covariances: Sequence[Sequence[Sequence[float]]]

    def log_odds(self, x: Tensor) -> Tensor:
        """(N,) float64 log p(x | 1) / p(x | 0) of points x (N, 2)."""
        first, second = (each.log_prob(x.double()) for each in self._densities)
        return second - first

    @cached_property
    def bayes(self) -> Bayes:
        """By quadrature over a grid."""
        means, variances = (torch.tensor(each, dtype=torch.float64) for each in (self.means, self._variances))
        low, high = (means - REACH * variances.sqrt()).amin(0), (means + REACH * variances.sqrt()).amax(0)
        axes = [quadrature.nodes(*ends, WIDTH) for ends in zip(low.tolist(), high.tolist(), strict=True)]
        points = torch.cartesian_prod(*(places for places, _ in axes))
        weights = torch.cartesian_prod(*(each for _, each in axes)).prod(1)
        densities = torch.stack([each.log_prob(points) for each in self._densities])
        posterior = densities.log_softmax(0)
        joint = densities.exp() / 2 * weights
        accuracy = joint.amax(0).sum().item()
        return Bayes(accuracy, -(joint * posterior).sum().item())

    @property
    def _variances(self) -> list[list[float]]:
        return [[rows[0][0], rows[1][1]] for rows in self.covariances]

    @cached_property
    def _densities(self) -> list[MultivariateNormal]:
        return [
            MultivariateNormal(torch.tensor(mean, dtype=torch.float64), torch.tensor(covariance, dtype=torch.float64))
            for mean, covariance in zip(self.means, self.covariances, strict=True)
        ]
