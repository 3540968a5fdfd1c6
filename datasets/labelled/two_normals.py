"""Two normal classes in the plane, and the performance of their Bayes-optimal classifier."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from infobound.datasets.labelled import labels
from infobound.datasets.labelled.rows import Bayes, LabelledRows, Pivot
from infobound.datasets.pairs import quadrature

REACH, WIDTH = 9.0, 0.25
"""The grid: standard deviations on each side, and a panel's width. The class boundary adds an error
of 1e-5 to the accuracy.
"""


@dataclass(frozen=True)
class TwoNormals:
    """Equally likely classes N(means[k], covariances[k]), k = 0, 1."""

    means: Sequence[Sequence[float]]
    covariances: Sequence[Sequence[Sequence[float]]]

    def log_odds(self, x: Tensor) -> Tensor:
        """Log-odds log p(x | 1) / p(x | 0), (N,) float64, of points x (N, 2)."""
        first, second = (each.log_prob(x.double()) for each in self._densities)
        return second - first

    @cached_property
    def bayes(self) -> Bayes:
        """The Bayes-optimal performance, by quadrature over a grid."""
        means, variances = (
            torch.tensor(each, dtype=torch.float64) for each in (self.means, self._variances)
        )
        low, high = (
            (means - REACH * variances.sqrt()).amin(0),
            (means + REACH * variances.sqrt()).amax(0),
        )
        axes = [
            quadrature.nodes(*ends, WIDTH) for ends in zip(low.tolist(), high.tolist(), strict=True)
        ]
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
            MultivariateNormal(
                torch.tensor(mean, dtype=torch.float64),
                torch.tensor(covariance, dtype=torch.float64),
            )
            for mean, covariance in zip(self.means, self.covariances, strict=True)
        ]


class LabelledNormals(ABC):
    """Rows of two normal classes in the plane, with one continuous pivot."""

    normals: ClassVar[TwoNormals]
    pivot: ClassVar[str]

    @property
    def features(self) -> tuple[str, ...]:
        return "x_1", "x_2"

    @property
    def classes(self) -> tuple[str, ...]:
        return "0", "1"

    @property
    def pivots(self) -> tuple[Pivot, ...]:
        return (Pivot(self.pivot, ()),)

    @property
    def bayes(self) -> Bayes:
        return self.normals.bayes

    @abstractmethod
    def points(self, first: Tensor, second: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Turn independent standard normal numbers (N,) into points (N, 2) of class 0 and of class
        1.
        """

    @abstractmethod
    def pivot_of(self, x: Tensor, z: Tensor) -> Tensor:
        """The pivot (N, 1) of points x (N, 2) that were generated with z (N,)."""

    def sample(
        self, size: int, generator: torch.Generator, label: int | None = None
    ) -> LabelledRows:
        label_of = labels.drawn(size, 0.5, generator, label)
        first, second, z = torch.randn(3, size, generator=generator, device=generator.device)
        background, signal = self.points(first, second, z)
        x = signal.where(label_of[:, None] == 1, background)
        return LabelledRows(x, label_of, self.pivot_of(x, z))
