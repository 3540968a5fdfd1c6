"""Coverage: which modes of a distribution the samples cover, their quality, and the divergence of
their histogram from the true one.

N samples, M modes, K bins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.modes.interface import Modes, Recognised

BINS = 50
"""Number of bins in each direction of the plane, over the range of the data."""
REFERENCE = 100_000
"""Number of held-out points in the true histogram of the plane."""


@dataclass(frozen=True)
class Coverage:
    """Measures the coverage of samples."""

    recognise: Callable[[Tensor], Recognised]
    shares: Tensor
    """(M,) the probability of each mode."""
    points: Tensor | None
    """(REFERENCE, 2) held-out points of the plane; None if samples are not points."""

    @classmethod
    def of(
        cls, dataset: Modes, recognise: Callable[[Tensor], Recognised], generator: torch.Generator
    ) -> "Coverage":
        """The coverage measures of a data set, on the generator's device."""
        points = dataset.held_out(REFERENCE, generator)[0] if dataset.shape == (2,) else None
        return cls(recognise, dataset.shares.to(generator.device), points)

    def __call__(self, x: Tensor) -> dict[str, float]:
        """Measure samples x (N, *shape): covered `modes`, the share of `high_quality`, and `kl` and
        `js` in nats.

        For points, `kl` compares the modes of high-quality samples, as published, and takes its
        maximum if there are none; `js` compares histograms over the plane. For images, both compare
        the modes of all samples.
        """
        return self.measured(x, self.recognise(x))

    def measured(self, x: Tensor, recognised: Recognised) -> dict[str, float]:
        """Measure samples whose modes are already known."""
        found = {
            "modes": float(modes_covered(recognised)),
            "high_quality": recognised.good.double().mean().item(),
        }
        if self.points is None:
            shares = histogram(recognised.nearest, len(self.shares))
            return found | {
                "kl": reverse_kl(shares, self.shares),
                "js": jensen_shannon(shares, self.shares),
            }
        return found | {"kl": self._kl(recognised), "js": jensen_shannon(*_binned(x, self.points))}

    def _kl(self, recognised: Recognised) -> float:
        """The KL divergence of high-quality samples; without any, as if all were of the rarest
        mode.
        """
        if not recognised.good.any():
            return -self.shares.log().min().item()
        return reverse_kl(
            histogram(recognised.nearest[recognised.good], len(self.shares)), self.shares
        )


def modes_covered(recognised: Recognised) -> int:
    """The number of modes with at least one high-quality sample."""
    return len(recognised.nearest[recognised.good].unique())


def histogram(values: Tensor, size: int) -> Tensor:
    """The share (size,) float64 of each number from 0 to size - 1 in values (N,)."""
    return torch.bincount(values, minlength=size).double() / len(values)


def reverse_kl(found: Tensor, truth: Tensor) -> float:
    """KL(found || truth) = sum_k found_k log(found_k / truth_k) nats of shares (M,).

    It is infinite if a sample is in a mode with true share 0; N perfect samples give (M - 1) / 2N
    on average.
    """
    return (torch.xlogy(found, found) - torch.xlogy(found, truth)).sum().item()


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """The mean of KL(p || (p + q) / 2) and KL(q || (p + q) / 2) in nats of shares (K,): 0 if equal,
    log 2 if disjoint.

    Histograms of N and N' samples of the same distribution give (K - 1) (1 / N + 1 / N') / 8 on
    average.
    """
    middle = (p + q) / 2
    return min(max(0.0, (reverse_kl(p, middle) + reverse_kl(q, middle)) / 2), math.log(2))


def bins(points: Tensor, low: Tensor, high: Tensor, side: int) -> Tensor:
    """The cells (N,) int64 of points (N, 2) in a grid of side by side between the corners; side *
    side means outside.
    """
    places = ((points - low) / (high - low) * side).floor()
    places = torch.where(points == high, side - 1, places)
    inside = ((places >= 0) & (places < side)).all(dim=1)
    cells = places.nan_to_num(0).clamp(0, side - 1).long()
    return torch.where(inside, cells[:, 0] * side + cells[:, 1], side * side)


def _binned(x: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Shares (K,) of both in bins over the range of the truth."""
    low, high = truth.aminmax(dim=0)
    found, expected = (
        histogram(bins(each, low, high, BINS), BINS * BINS + 1) for each in (x, truth)
    )
    return found, expected
