"""Coverage: which of a distribution's modes samples reach, how good they are, and how far their
histogram is from the true one.

N samples, M modes, K bins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.modes.interface import Modes, Recognised

BINS = 50
"""In each direction of the plane, over the range of the data."""
REFERENCE = 100_000
"""Held-out points that make the true histogram of the plane."""


@dataclass(frozen=True)
class Coverage:
    """What samples are measured by."""

    recognise: Callable[[Tensor], Recognised]
    shares: Tensor
    """(M,) the probability of each mode."""
    points: Tensor | None
    """(REFERENCE, 2) held-out points of the plane; None where samples are no points."""

    @classmethod
    def of(
        cls, dataset: Modes, recognise: Callable[[Tensor], Recognised], generator: torch.Generator
    ) -> "Coverage":
        """That of a data set, on the generator's device."""
        points = dataset.held_out(REFERENCE, generator)[0] if dataset.shape == (2,) else None
        return cls(recognise, dataset.shares.to(generator.device), points)

    def __call__(self, x: Tensor) -> dict[str, float]:
        """Of samples x (N, *shape): `modes` covered, the share of `high_quality`, and in nats `kl`
        and `js`.

        Of points `kl` compares the modes of samples of high quality, as published, and is the most
        that it can be where there are none, and `js` compares histograms over the plane; of images
        both compare the modes of all samples.
        """
        return self.measured(x, self.recognise(x))

    def measured(self, x: Tensor, recognised: Recognised) -> dict[str, float]:
        """The same of samples that are recognised already."""
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
        """Of samples of high quality; where there are none, as if all were of the rarest mode."""
        if not recognised.good.any():
            return -self.shares.log().min().item()
        return reverse_kl(
            histogram(recognised.nearest[recognised.good], len(self.shares)), self.shares
        )


def modes_covered(recognised: Recognised) -> int:
    """Modes that at least one sample of high quality belongs to."""
    return len(recognised.nearest[recognised.good].unique())


def histogram(values: Tensor, size: int) -> Tensor:
    """(size,) float64, the share of each of 0 to size - 1 in values (N,)."""
    return torch.bincount(values, minlength=size).double() / len(values)


def reverse_kl(found: Tensor, truth: Tensor) -> float:
    """KL(found || truth) = sum_k found_k log(found_k / truth_k) nats of shares (M,).

    What is in no mode of the truth makes it infinite; N perfect samples read (M - 1) / 2N on
    average.
    """
    return (torch.xlogy(found, found) - torch.xlogy(found, truth)).sum().item()


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """The mean of KL(p || (p + q) / 2) and KL(q || (p + q) / 2) in nats of shares (K,): 0 if equal,
    log 2 if disjoint.

    Histograms of N and N' samples of one distribution read (K - 1) (1 / N + 1 / N') / 8 on average.
    """
    middle = (p + q) / 2
    return min(max(0.0, (reverse_kl(p, middle) + reverse_kl(q, middle)) / 2), math.log(2))


def bins(points: Tensor, low: Tensor, high: Tensor, side: int) -> Tensor:
    """(N,) int64, the cell of points (N, 2) in a grid of side by side between the corners; side *
    side is all outside it.
    """
    places = ((points - low) / (high - low) * side).floor()
    places = torch.where(points == high, side - 1, places)
    inside = ((places >= 0) & (places < side)).all(dim=1)
    cells = places.nan_to_num(0).clamp(0, side - 1).long()
    return torch.where(inside, cells[:, 0] * side + cells[:, 1], side * side)


def _binned(x: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """(K,) shares of both in bins over the range of the truth."""
    low, high = truth.aminmax(dim=0)
    found, expected = (
        histogram(bins(each, low, high, BINS), BINS * BINS + 1) for each in (x, truth)
    )
    return found, expected
